"""Observe: what happens to jobs, followed as it happens: attempts with their evidence, and ends.

Promise: nothing is written for this unless somebody follows (`lua/parts/news.lua`), and what is written is bounded and
goes by itself; evidence was redacted when it was made. Who falls behind by more than is kept is told how many events
were missed; a store that is away is waited for, for a while. Scope: reading; the words are the command's.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from worker.accept.jobs import read_record
from worker.errors import StoreUnavailable
from worker.store.connection import is_outage
from worker.store.partition import Partition, as_text

SPAN_S = 15.0
RENEW_S = 5.0
MOST = 500
PATIENCE_S = 30.0
PAUSE_S = 0.5
Entry = tuple[str, dict[str, str]]


@dataclass(frozen=True, slots=True)
class Missed:
    """So many events were dropped before they were read."""

    count: int


@dataclass(frozen=True, slots=True)
class Away:
    """The store does not answer; what happens meanwhile may not be seen."""


@dataclass(slots=True)
class News:
    """Follows one partition. For one thread."""

    partition: Partition
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    block_ms: int = 500
    _last: str = ""
    _added: int = 0
    _renewed: float = field(default=float("-inf"))

    def begin(self) -> None:
        """From now on. Raises redis-py's errors."""
        self._last, self._added = self._renew()

    def look(self) -> list[dict[str, Any] | Missed | Away]:
        """What has happened since the last look, oldest first; waits a little where nothing has. Raises
        `StoreUnavailable` when the store has been away for long.
        """
        try:
            return self._look()
        except Exception as error:
            if not is_outage(error):
                raise
        self._wait_for_store()
        return [Away()]

    def _look(self) -> list[dict[str, Any] | Missed | Away]:
        missed = self._missed() if self.monotonic() - self._renewed >= RENEW_S else 0
        streams: Any = {self.partition.key("news"): self._last}
        answer: Any = self.partition.client.xread(streams, count=MOST, block=self.block_ms)
        entries = _entries(as_text(answer))
        if len(entries) == MOST and "evidence" in entries[-1][1]:
            entries.pop()  # its end may be the next one
        if entries:
            self._last = entries[-1][0]
            self._added += len(entries)
        return [*([Missed(missed)] if missed else []), *happenings(entries)]

    def _missed(self) -> int:
        """How many of those that were added have been trimmed unread; known for sure only when all others are read."""
        last, added = self._renew()
        if last != self._last:
            return 0
        missed, self._added = max(0, added - self._added), added
        return missed

    def _renew(self) -> tuple[str, int]:
        last, added = self.partition.decide("news", {"span": int(SPAN_S * 1e6)})
        self._renewed = self.monotonic()
        return str(last), int(added)

    def _wait_for_store(self) -> None:
        until = self.monotonic() + PATIENCE_S
        while self.monotonic() < until:
            self.sleep(PAUSE_S)
            with contextlib.suppress(Exception):
                last, added = self._renew()
                if added < self._added:  # the stream is another one
                    self._last, self._added = last, added
                return
        raise StoreUnavailable(f"the store has not answered for {PATIENCE_S:.0f} s; start it, and follow it again.")


def _entries(answer: Any) -> list[Entry]:
    """The entries of the one stream that was read, in whichever protocol the connection speaks."""
    if not answer:
        return []
    found = next(iter(answer.values()))[0] if isinstance(answer, dict) else answer[0][1]
    return [(entry_id, words) for entry_id, words in found]


def happenings(entries: Sequence[Entry]) -> Iterator[dict[str, Any]]:
    """Entries as events. What ended a job stands right behind its evidence, from the same step: both are one event."""
    held: dict[str, Any] | None = None
    for entry_id, words in entries:
        if "state" in words and held is not None and held["job"] == words["job"] and held["state"] not in ENDS:
            yield held | {"state": words["state"], "ended": True}
            held = None
            continue
        if held is not None:
            yield held
        held = _happening(entry_id, words) if "evidence" in words or "state" in words else None
    if held is not None:
        yield held


ENDS = ("done", "dead", "cancelled", "expired")


def _happening(entry_id: str, words: dict[str, str]) -> dict[str, Any]:
    own = {name: words.get(name, "") for name in ("job", "account", "operation")}
    at = datetime.fromtimestamp(int(entry_id.partition("-")[0]) / 1000, UTC)
    when = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if "state" in words:
        return {"at": when, "event": "ended", **own, "state": words["state"], "ended": True}
    record = read_record(words["evidence"])
    event = str(record.get("event") or "attempt")
    return {"at": when, **record, "event": event, **own, "state": _state_after(event, record), "ended": False}


def _state_after(event: str, record: dict[str, Any]) -> str | None:
    """Where a job is that has not ended by this."""
    if event == "attempt":
        outcome = record.get("outcome") or {}
        return "awaiting" if outcome.get("class") == "success" else "waiting"
    return "waiting" if event in ("crashed", "redriven") else None
