"""Observe: hands alerts over, from the store's outbox to people.

Promise: every opened and every resolved problem is handed over at least once, and removed only after every sink has
confirmed it; a sink that is down or slow delays no job and loses nothing, since all of this happens in a thread of its
own. Scope: handing over; the words are in `wording.py`, what is alerted is decided by the scripts and the policy.

One change is claimed at a time: a claim lasts `again_s`, and a slow sink must not outlast the claims of a whole batch,
or a second process would hand the rest over as well.
"""

from __future__ import annotations

import contextlib
import json
import logging
import threading
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import redis

from worker.observe import log, wording
from worker.observe.beside import Beside

if TYPE_CHECKING:
    from worker.broker.broker import PacelineBroker

logger = logging.getLogger("paceline.alerts")
POLL_S = 5.0
AGAIN_S = 60.0
PAUSE_S = 0.2  # between two turns: a burst of dead letters rings once per job
TURN = 200
LAST_WORDS_S = 2.0
REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Alert:
    """One change of one alert. `facts`, and the records of the job's last `attempts`, are redacted where they are made.
    """

    key: str
    change: str
    generation: int
    count: int
    opened_us: int
    facts: dict[str, Any]
    attempts: tuple[dict[str, Any], ...] = ()

    @property
    def member(self) -> str:
        """Its name in the outbox: the same however often it is handed over."""
        return f"{self.key}#{self.generation}#{self.opened_us}#{self.change}"

    @property
    def fingerprint(self) -> str:
        """The console's: what belongs to one matter."""
        return wording.grouping_of(self.key, self.facts)

    @property
    def title(self) -> str:
        """One line without personal data."""
        return wording.title_of(self.key, self.facts)

    @property
    def advice(self) -> str:
        """What to do."""
        return wording.advice_of(self.facts)

    @property
    def explanation(self) -> str:
        """What it means."""
        return wording.explanation_of(self.facts)

    @property
    def level(self) -> wording.Level:
        return wording.level_of(self.facts)


class Sink(Protocol):
    """Somewhere an alert can be handed to."""

    def deliver(self, alert: Alert) -> bool:
        """True when it has been handed over; False to try again later. Never raises for trouble of the receiver."""
        ...


class LogSink:
    """Alerts as lines of the structured log."""

    def deliver(self, alert: Alert) -> bool:
        level = alert.level if alert.change == "opened" else "info"
        getattr(log.logger(), level)(
            "alert", key=alert.key, change=alert.change, title=alert.title, fingerprint=alert.fingerprint,
            generation=alert.generation, count=alert.count, advice=alert.advice, facts=alert.facts,
        )  # fmt: skip
        return True


class Outbox(threading.Thread):
    """Hands over what the scripts have put into the outbox; one per worker process."""

    def __init__(
        self, broker: PacelineBroker, sinks: list[Sink], *, again_s: float = AGAIN_S, poll_s: float = POLL_S
    ) -> None:
        super().__init__(name="paceline-alerts", daemon=True)
        self._broker = broker
        self._sinks = sinks
        self._again_us = int(again_s * 1_000_000)
        self._poll_s = poll_s
        self._wake = threading.Event()
        self._leaving = threading.Event()
        self._done: list[str] = []
        self._told: dict[str, set[int]] = {}
        self._heard: deque[tuple[str, int]] = deque()
        for place, sink in enumerate(sinks):
            if isinstance(sink, Beside):
                sink.heard = partial(self._hear, place)

    def run(self) -> None:
        while not self._leaving.is_set():
            self._wake.wait(self._poll_s)
            self._wake.clear()
            self.hand_over_patiently()
            self._leaving.wait(PAUSE_S)
        self.hand_over_patiently()
        self.finish()

    def poke(self) -> None:
        """There may be something to hand over now."""
        self._wake.set()

    def stop(self) -> None:
        """One last turn, then the thread ends."""
        self._leaving.set()
        self._wake.set()

    def hand_over_patiently(self) -> None:
        """Like `hand_over`; trouble is logged and waits for the next turn."""
        try:
            self.hand_over()
        except redis.RedisError as error:
            logger.warning("alerts wait, the store does not answer (%s)", type(error).__name__)
        except Exception:
            logger.exception("handing over alerts failed")

    def hand_over(self) -> int:
        """Hands over what is due; returns how many changes were handed over. Raises redis-py's errors."""
        handed_over = self._note_heard()
        for _ in range(TURN):
            alert = self._next()
            if alert is None:
                return handed_over
            if self._deliver(alert):
                self._done.append(alert.member)
                handed_over += 1
        self._claim(0)
        self._wake.set()
        return handed_over

    def finish(self) -> None:
        """The last words of sinks with threads of their own."""
        for sink in self._sinks:
            if isinstance(sink, Beside):
                sink.finish(LAST_WORDS_S)
        if self._note_heard():
            with contextlib.suppress(redis.RedisError):
                self._claim(0)

    def _deliver(self, alert: Alert) -> bool:
        """To every sink that has not had it yet. While one sink is down, the others are not told each minute again."""
        told = self._told.setdefault(alert.member, set())
        for place, sink in enumerate(self._sinks):
            if place not in told and _delivered(sink, alert):
                told.add(place)
        complete = len(told) == len(self._sinks)
        if complete or len(self._told) > REMEMBERED:
            del self._told[alert.member]
        return complete

    def _hear(self, place: int, member: str) -> None:
        """A sink with a thread of its own has handed over one alert; called from there."""
        self._heard.append((member, place))
        self._wake.set()

    def _note_heard(self) -> int:
        """How many alerts have been handed over completely by that."""
        complete = 0
        while self._heard:
            member, place = self._heard.popleft()
            told = self._told.get(member)
            if told is None:  # confirmed to somebody else meanwhile, or too many to be remembered
                continue
            told.add(place)
            if len(told) == len(self._sinks):
                del self._told[member]
                self._done.append(member)
                complete += 1
        return complete

    def _next(self) -> Alert | None:
        return next(iter(self._claim(1)), None)

    def _claim(self, limit: int) -> list[Alert]:
        """Confirms what has been handed over, and claims up to `limit` more. What could not be confirmed now, because
        the store was away, is confirmed by the next call.
        """
        facts = {"done": self._done, "limit": limit, "again_us": self._again_us}
        entries = self._broker.scripts("alerts", facts)
        self._done = []
        return [read_alert(entry) for entry in entries]


def _delivered(sink: Sink, alert: Alert) -> bool:
    try:
        return sink.deliver(alert)
    except Exception:
        logger.exception("%s failed on an alert; it is offered again", type(sink).__name__)
        return False


def read_alert(entry: list[bytes]) -> Alert:
    """A change as `alerts.lua` deals it: its name in the outbox, and the alert."""
    _, key, change, generation, count, opened, facts, *attempts = (part.decode() for part in entry)
    records = tuple(json.loads(attempt) for attempt in attempts)
    return Alert(key, change, int(generation), int(count), int(opened), json.loads(facts), records)
