"""Console: what the pages need of the system, put together once per web process.

Promise: only readers and actions that the command line and the API use too; nothing here asks the store until a page
does. Scope: holding parts.
"""

from __future__ import annotations

from dataclasses import dataclass

from settings import Account, Settings
from worker.accept.intake.callers import Callers
from worker.accept.intake.parts import Parts as IntakeParts
from worker.accept.jobs import Jobs
from worker.console.live import Live
from worker.console.sharing import Shared
from worker.fail.bulk import BulkActions
from worker.fail.dead_letter import DeadLetters
from worker.fail.filter_words import FilterWords
from worker.fail.notes import Notes
from worker.fail.problem import Problems
from worker.fail.redrive import Redrive
from worker.limiter.holds import Holds
from worker.limiter.lanes import Lanes
from worker.limiter.limiter import Limiter
from worker.observe.history import History
from worker.observe.redact import Redactor
from worker.observe.standing import Alerts
from worker.store.partition import Partition


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of one web process. Without any key among the `callers` only this machine is let in."""

    settings: Settings
    accounts: dict[str, Account]
    partition: Partition
    jobs: Jobs
    letters: DeadLetters
    problems: Problems
    words: FilterWords
    redrive: Redrive
    bulk: BulkActions
    limiter: Limiter
    holds: Holds
    lanes: Lanes
    callers: Callers
    redactor: Redactor
    notes: Notes
    alerts: Alerts
    history: History
    live: Live
    shared: Shared

    @classmethod
    def of(cls, intake: IntakeParts) -> Parts:
        """The API's own, and the actions."""
        return cls(
            settings=intake.settings,
            accounts=intake.settings.accounts(),
            partition=intake.partition,
            jobs=intake.jobs,
            letters=intake.letters,
            problems=intake.problems,
            words=intake.words,
            redrive=Redrive(intake.partition),
            bulk=intake.bulk,
            limiter=intake.limiter,
            holds=intake.holds,
            lanes=intake.lanes,
            callers=intake.callers,
            redactor=intake.redactor,
            notes=Notes(intake.partition, intake.settings.fail.dead_ttl_s),
            alerts=Alerts(intake.partition),
            history=History(intake.partition),
            live=Live(intake.partition, intake.callers, lambda: intake.watching.leaving),
            shared=Shared(),
        )
