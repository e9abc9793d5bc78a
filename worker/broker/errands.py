"""Broker: what a worker process does besides its jobs, on the beat of its renewals.

Promise: short, bounded, and never in the way of a job. Scope: noticing changed credentials, retention, commands
whose result never came, advice about quota and shares, a poke for the outbox, which jobs were done lately.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING

import redis

from worker.fail.command_result import unheard
from worker.observe.advice import Advisor
from worker.observe.alerts import Outbox
from worker.observe.history import Scribe

if TYPE_CHECKING:
    from worker.broker.broker import PacelineBroker

logger = logging.getLogger("paceline.errands")
MINUTE = 12
"""Renewals, about."""


def errands_of(broker: PacelineBroker, outbox: Outbox) -> list[Callable[[], None]]:
    """The errands of one process, in order."""
    advisor = Advisor(broker, outbox.poke)
    scribe = Scribe(broker)

    def notice_changed_credentials() -> None:
        """A new token is worth one probe at once: the hold ends when that call is not refused."""
        for account in broker.credentials_changed():
            broker.scripts("release", {"scope": f"account:{account}", "by": "paceline", "probe": True})

    def sweep() -> None:
        broker.scripts("sweep", {"dead_us": broker.settings.fail.dead_ttl_s * 1_000_000})

    def bury_the_unheard() -> None:
        if broker.scripts("unheard", {"why": unheard()}):
            outbox.poke()

    def poke_outbox() -> None:
        if broker.outbox_waits:
            outbox.poke()

    def name_what_was_done() -> None:
        broker.recent.tell(broker.scripts)

    return [
        seldom(broker.leave_word, MINUTE, first=1),
        aside(broker.recall.remind),
        notice_changed_credentials,
        seldom(sweep, MINUTE, first=MINUTE),
        bury_the_unheard,
        advisor.look,
        seldom(scribe.write, MINUTE // 3, first=1),
        poke_outbox,
        name_what_was_done,
    ]


def run(errand: Callable[[], None]) -> None:
    """One errand. What goes wrong with it is logged, and is nothing to the others."""
    try:
        errand()
    except redis.RedisError as error:
        logger.warning("%s could not be done now: %s", errand.__name__, type(error).__name__)
    except Exception:
        logger.exception("%s failed", errand.__name__)


def aside(errand: Callable[[], None]) -> Callable[[], None]:
    """That errand on a thread of its own, begun at a beat where it is not under way: to say thousands of ends again
    takes seconds, and meanwhile claims must be renewed.
    """
    under_way: threading.Thread | None = None

    @wraps(errand)
    def begin() -> None:
        nonlocal under_way
        if under_way is None or not under_way.is_alive():
            under_way = threading.Thread(target=run, args=(errand,), name=f"paceline-{errand.__name__}", daemon=True)
            under_way.start()

    return begin


def seldom(errand: Callable[[], None], every: int, first: int) -> Callable[[], None]:
    """That errand at one of so many beats: each is a question to the store, and an idle worker is to be quiet."""
    beats = every - first

    @wraps(errand)
    def now_and_then() -> None:
        nonlocal beats
        beats += 1
        if beats % every == 0:
            errand()

    return now_and_then
