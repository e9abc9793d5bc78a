"""Observe: the alerts as they stand in the store, and what people say about them.

Promise: an acknowledged alert is not told again until it was over; who said what, when and why is kept in the audit.
Scope: reading and these two words; what opens an alert and what ends it are the scripts that know of its cause.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from worker.errors import Conflict, NotFound
from worker.observe import wording
from worker.store.partition import CHUNK, Partition

State = Literal["open", "acknowledged", "resolved", "untold"]


@dataclass(frozen=True, slots=True)
class StandingAlert:
    """One alert. `generation` above 1: opened again after it was over. `waits`: not handed over to everybody yet."""

    key: str
    state: State
    generation: int
    count: int
    opened_us: int
    changed_us: int
    acked_us: int
    acked_by: str
    acked_why: str
    ended_by: str
    ended_why: str
    waits: bool
    facts: dict[str, Any]

    @property
    def stands(self) -> bool:
        return self.state != "resolved"

    @property
    def title(self) -> str:
        return wording.title_of(self.key, self.facts)

    def as_dict(self) -> dict[str, Any]:
        return {
            "key": self.key, "state": self.state, "level": wording.level_of(self.facts), "title": self.title,
            "advice": wording.advice_of(self.facts), "explanation": wording.explanation_of(self.facts),
            "fingerprint": wording.grouping_of(self.key, self.facts), "generation": self.generation,
            "reopened": self.generation > 1, "count": self.count, "opened_us": self.opened_us,
            "changed_us": self.changed_us, "acknowledged_us": self.acked_us, "acknowledged_by": self.acked_by or None,
            "acknowledged_why": self.acked_why or None, "resolved_by": self.ended_by or None,
            "resolved_why": self.ended_why or None, "waits_in_outbox": self.waits, "facts": self.facts,
        }  # fmt: skip


class Alerts:
    """The alerts of a partition."""

    def __init__(self, partition: Partition) -> None:
        self._partition = partition

    def find(self, *, resolved: bool = False, account: str | None = None) -> Iterator[StandingAlert]:
        """Last changed first; without `resolved` only those that stand."""
        start = 0
        while True:
            keys = self._partition.one("zrevrange", self._partition.key("alerts"), start, start + CHUNK - 1)
            for alert in self._some(keys):
                if (resolved or alert.stands) and account in (None, alert.facts.get("account")):
                    yield alert
            if len(keys) < CHUNK:
                return
            start += CHUNK

    def read(self, key: str) -> StandingAlert:
        """One alert. Raises `NotFound`."""
        for alert in self._some([key]):
            return alert
        raise NotFound(self._unknown(key))

    def acknowledge(self, key: str, by: str, reason: str) -> None:
        """Somebody knows. Raises `NotFound`, or `Conflict` when it is over or known already."""
        self._say(key, by, reason, over=False)

    def resolve(self, key: str, by: str, reason: str) -> None:
        """It is over. Raises `NotFound`, or `Conflict` when it was over before."""
        self._say(key, by, reason, over=True)

    def _say(self, key: str, by: str, reason: str, *, over: bool) -> None:
        answer = self._partition.decide("acknowledge", {"key": key, "by": by, "reason": reason, "over": over})
        if answer == "missing":
            raise NotFound(self._unknown(key))
        if answer == "resolved":
            raise Conflict(f"{key} is resolved already; `alerts show` says since when.")
        if answer == "already":
            known = self.read(key)
            raise Conflict(f"{key} is acknowledged already, by {known.acked_by or 'somebody'}.")

    def _unknown(self, key: str) -> str:
        close = difflib.get_close_matches(key, (alert.key for alert in self.find(resolved=True)), n=1, cutoff=0.8)
        guess = f", did you mean {close[0]}" if close else ""
        return f"no alert {key[:80]!r} is known{guess}; `alerts list --all` lists them."

    def _some(self, keys: list[str]) -> list[StandingAlert]:
        key = self._partition.key
        records = self._partition.ask(*(("hgetall", key("alert", one)) for one in keys))
        changes = [
            (key("outbox"), f"{one}#{record.get('gen')}#{record.get('opened')}#{change}")
            for one, record in zip(keys, records, strict=True)
            for change in ("opened", "resolved")
        ]
        waits = iter(self._partition.ask(*(("zscore", *place) for place in changes)))
        found = []
        for one, record in zip(keys, records, strict=True):
            opened, resolved = next(waits), next(waits)
            if record:
                found.append(alert_of(one, record, opened is not None or resolved is not None))
        return found


def alert_of(key: str, record: dict[str, str], waits: bool) -> StandingAlert:
    """The alert behind a record; one whose facts cannot be read is still listed."""
    try:
        facts = json.loads(record.get("facts") or "{}")
    except ValueError:
        facts = {}
    state: Any = record.get("state", "open")
    return StandingAlert(
        key=key,
        state="acknowledged" if state == "open" and record.get("acked") else state,
        generation=_whole(record.get("gen")),
        count=_whole(record.get("count")),
        opened_us=_whole(record.get("opened")),
        changed_us=_whole(record.get("changed")),
        acked_us=_whole(record.get("acked")),
        acked_by=record.get("acked_by", ""),
        acked_why=record.get("acked_why", ""),
        ended_by=record.get("ended_by", ""),
        ended_why=record.get("ended_why", ""),
        waits=waits,
        facts=facts if isinstance(facts, dict) else {},
    )


def _whole(text: str | None) -> int:
    return int(float(text or 0))
