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
from worker.fail.dead_letter import DeadLetters
from worker.fail.problem import Problems
from worker.fail.redrive import Redrive
from worker.limiter.holds import Holds
from worker.limiter.lanes import Lanes
from worker.limiter.limiter import Limiter
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
    redrive: Redrive
    limiter: Limiter
    holds: Holds
    lanes: Lanes
    callers: Callers

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
            redrive=Redrive(intake.partition),
            limiter=intake.limiter,
            holds=intake.holds,
            lanes=intake.lanes,
            callers=intake.callers,
        )
