"""Accept, over HTTP: what the routes work with, put together once.

Promise: nothing here asks the store until a request does. Scope: references; each part says itself what it promises.
"""

from __future__ import annotations

from settings import Settings
from worker.accept.enqueue import Enqueuer
from worker.accept.intake.callers import Callers, KeyRing
from worker.accept.intake.command_results import CommandResults
from worker.accept.intake.gathering import Gathering
from worker.accept.intake.watching import Watching
from worker.accept.job_search import JobSearch
from worker.accept.jobs import Jobs
from worker.fail.bulk import BulkActions
from worker.fail.dead_letter import DeadLetters
from worker.fail.filter_words import FilterWords
from worker.fail.overriding import table_of
from worker.fail.problem import Problems
from worker.limiter.holds import Holds
from worker.limiter.lanes import Lanes
from worker.limiter.limiter import Limiter
from worker.observe.redact import Redactor
from worker.store.partition import Partition


class Parts:
    """The parts of one web process."""

    def __init__(self, settings: Settings, partition: Partition, enqueuer: Enqueuer, redactor: Redactor) -> None:
        self.settings = settings
        self.intake = settings.intake
        self.accounts = settings.accounts()
        self.redactor = redactor
        self.partition = partition
        self.enqueuer = enqueuer
        self.gathering = Gathering(enqueuer, partition, settings.intake.max_waiting)
        self.jobs = Jobs(partition, redactor)
        self.search = JobSearch(partition)
        self.limiter = Limiter(partition)
        self.holds = Holds(partition)
        self.lanes = Lanes(partition, self.limiter, self.holds)
        self.letters = DeadLetters(partition)
        self.bulk = BulkActions(partition, self.limiter, settings.fail.dead_ttl_s)
        self.problems = Problems(partition)
        self.words = FilterWords(self.accounts, partition)
        self.callers = Callers(settings.intake.keys, KeyRing(partition))
        self.watching = Watching(partition)
        self.results = CommandResults(partition, redactor, table_of(settings))
