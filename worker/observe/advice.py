"""Observe: what is worth an advice before anything has gone wrong: quota that runs out, shares of answers that rise.

Promise: a look costs a script call per hundred accounts, of one process of the fleet, at most once a minute, and no job
anything. Scope: when to look and with which thresholds; what is found is `judge.lua`'s, how it is said `wording.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from settings import Settings
from worker.accept.envelope import PRIORITIES
from worker.limiter.quota import NEVER, age_bound_s

if TYPE_CHECKING:
    from worker.broker.broker import PacelineBroker

EVERY_S = 60.0
SLICES = 5  # as in parts/share.lua: a look per slice at least

WATCHED: Mapping[str, tuple[str, ...]] = {"stellantis": ("access_refused", "no_data")}
"""By API: one such answer says nothing, and a sudden lot of them that consents, a contract or the API have changed."""


def tally_of(api: str, error_class: str) -> str | None:
    """The class to count this answer under, where its share is watched."""
    return error_class if error_class in WATCHED.get(api, ()) else None


def look_of(settings: Settings) -> dict[str, Any]:
    """The facts of `judge.lua`, from these settings."""
    observe, limiter = settings.observe, settings.limiter
    bounds = (age_bound_s(limiter, priority) for priority in PRIORITIES)
    return {
        "every": int(min(EVERY_S, observe.share_period_s / SLICES) * 1_000_000),
        "quota": {
            "share": limiter.quota_advice_share,
            "ages": [NEVER if bound is None else int(bound * 1_000_000) for bound in bounds],
        },
        "shares": {
            "jump": observe.share_jump,
            "least": observe.share_least,
            "period": int(observe.share_period_s * 1_000_000),
            "classes": {api: list(classes) for api, classes in WATCHED.items()},
        },
    }


class Advisor:
    """The looks of one process; somebody else's count as ours. `told` is called when there is news to hand over."""

    def __init__(self, broker: PacelineBroker, told: Callable[[], None]) -> None:
        self._broker = broker
        self._told = told
        self._facts = look_of(broker.settings)
        self._again_s = float("-inf")

    def look(self) -> None:
        """Looks, if it is time. Raises redis-py's errors."""
        now_s = self._broker.clock.monotonic()
        if now_s < self._again_s:
            return
        again_us = 0
        while again_us == 0:
            again_us, news = self._broker.scripts("judge", self._facts)
            if news:
                self._told()
        self._again_s = now_s + again_us / 1_000_000
