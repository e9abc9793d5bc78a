"""Observe: hands alerts over, from the store's outbox to people.

Promise: every opened and every resolved problem is handed over at least once, in the words of the table, and removed
only after that; a sink that is down or slow delays no job and loses nothing. Scope: wording and handing over; what is
alerted is decided by the scripts and the policy.
"""

from __future__ import annotations

import json
import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import redis

from worker.fail.policy import ROWS
from worker.observe import log

if TYPE_CHECKING:
    from worker.broker.broker import PacelineBroker

logger = logging.getLogger("paceline.alerts")
POLL_S = 5.0
AGAIN_S = 60.0
BATCH = 20


@dataclass(frozen=True, slots=True)
class Alert:
    """One change of one alert. `fingerprint` is the console's; `facts` are redacted."""

    key: str
    change: str
    generation: int
    count: int
    opened_us: int
    facts: dict[str, Any]

    @property
    def fingerprint(self) -> str:
        return str(self.facts.get("problem") or self.key)

    @property
    def title(self) -> str:
        facts = self.facts
        what = facts.get("class") or facts.get("cause") or facts.get("kind") or "problem"
        where = facts.get("operation") or facts.get("account") or facts.get("scope") or ""
        code = f" {facts['code']}" if facts.get("code") else ""
        return f"{what}{code} {where}".strip()

    @property
    def advice(self) -> str:
        """What to do, from the table where the facts do not bring it."""
        if self.facts.get("advice"):
            return str(self.facts["advice"])
        for row in ROWS:
            if row.error_class == self.facts.get("class") and row.api in (self.facts.get("api"), "both") and row.alert:
                return row.alert
        return ""


class Sink(Protocol):
    """Somewhere an alert can be handed to."""

    def deliver(self, alert: Alert) -> bool:
        """True when it has been handed over; False to try again later. Never raises for trouble of the receiver."""
        ...


class LogSink:
    """Alerts as lines of the structured log."""

    def deliver(self, alert: Alert) -> bool:
        write = log.logger().error if alert.change == "opened" else log.logger().info
        write(
            "alert", key=alert.key, change=alert.change, title=alert.title, fingerprint=alert.fingerprint,
            count=alert.count, advice=alert.advice, facts=alert.facts,
        )  # fmt: skip
        return True


class Outbox(threading.Thread):
    """Hands over what the scripts have put into the outbox; one per worker process."""

    def __init__(self, broker: PacelineBroker, sinks: list[Sink]) -> None:
        super().__init__(name="paceline-alerts", daemon=True)
        self._broker = broker
        self._sinks = sinks
        self._wake = threading.Event()
        self._stopping = False

    def run(self) -> None:
        while not self._stopping:
            self._wake.wait(POLL_S)
            self._wake.clear()
            self.hand_over_patiently()
        self.hand_over_patiently()

    def poke(self) -> None:
        self._wake.set()

    def stop(self) -> None:
        self._stopping = True
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
        done: list[str] = []
        while True:
            claimed = self._claim(done)
            if not claimed:
                return len(done)
            done = [member for member, alert in claimed if all([sink.deliver(alert) for sink in self._sinks])]
            self._claim(done, limit=0)
            if len(done) < len(claimed):
                return len(done)

    def _claim(self, done: list[str], limit: int = BATCH) -> list[tuple[str, Alert]]:
        facts = {"done": done, "limit": limit, "again_us": int(AGAIN_S * 1e6)}
        return [read_alert(entry) for entry in self._broker.scripts("alerts", facts)]


def read_alert(entry: list[bytes]) -> tuple[str, Alert]:
    """A change as `alerts.lua` deals it: the outbox member to confirm, and the alert."""
    member, key, change, generation, count, opened, facts = (part.decode() for part in entry)
    return member, Alert(key, change, int(generation), int(count), int(float(opened)), json.loads(facts))
