"""Fail: what people write down about a letter or a problem, for the next person.

Promise: a note names who wrote it and when, is bounded, stands in the audit, and goes with its subject when that is
forgotten; it goes to the vendor's support only in a bundle somebody makes. Scope: writing and reading notes.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal

from worker.errors import Conflict, NotFound, Refused
from worker.store.partition import Partition

About = Literal["job", "problem"]
LONGEST = 2_000
MOST = 100
LIVES = 3
"""Of a letter's time: one that is sent again and dies again keeps its notes."""


@dataclass(frozen=True, slots=True)
class Note:
    at_us: int
    by: str
    text: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class Notes:
    """The notes of a partition."""

    def __init__(self, partition: Partition, dead_ttl_s: int) -> None:
        self._partition = partition
        self._keep_s = LIVES * dead_ttl_s

    def of(self, subject: str) -> list[Note]:
        """Oldest first; `subject` is a job's id or a problem's fingerprint."""
        texts = self._partition.one("lrange", self._partition.key("notes", subject), 0, MOST - 1)
        return [note for text in texts if (note := _note(text)) is not None]

    def write(self, about: About, subject: str, by: str, text: str) -> None:
        """Raises `Refused`, `NotFound`, or `Conflict` when there are too many."""
        said = _clean(text)
        facts = {"about": about, "id": subject, "by": by, "text": said, "most": MOST}
        answer = self._partition.decide("note", facts | {"keep_s": self._keep_s if about == "job" else 0})
        if answer == "missing":
            raise NotFound(f"no {about} {subject[:60]!r} is known.")
        if answer == "full":
            raise Conflict(f"there are {MOST} notes already; somebody should sum them up elsewhere.")


def _clean(text: str) -> str:
    """Without what cannot be shown; lines stay lines."""
    lines = ("".join(c if c.isprintable() else " " for c in line).rstrip() for line in text.strip().splitlines())
    said = "\n".join(lines)
    if not said:
        raise Refused("note: expected a few words for the next person, got none.")
    if len(said) > LONGEST:
        raise Refused(f"note: expected at most {LONGEST} characters, got {len(said)}; shorten it.")
    return said


def _note(text: str) -> Note | None:
    try:
        said = json.loads(text)
        return Note(int(float(said["at_us"])), str(said["by"]), str(said["text"]))
    except (ValueError, KeyError, TypeError):
        return None
