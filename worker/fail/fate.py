"""Fail: what the store is told about a job whose attempt is over.

Promise: a fate is complete: one script call carries it out, and saying it again changes nothing. Scope: the shape of
that call; who chooses it is `policy.py` and `middleware.py`, who makes the call is the broker.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Decision = Literal["finish", "park", "bury"]


@dataclass(frozen=True, slots=True)
class Fate:
    """`facts` are merged over job, lease and group; `settle` says what became of the permit (`parts/permit.lua`)."""

    decision: Decision
    settle: Mapping[str, Any]
    facts: Mapping[str, Any] = field(default_factory=dict)
    evidence: str = ""
    result: str = ""
    successors: tuple[tuple[dict[str, Any], bytes], ...] = ()

    @property
    def may_alert(self) -> bool:
        """Whether carrying it out may have put an alert into the outbox. Any dead letter may pull the brake."""
        return self.decision == "bury" or any(name in self.facts for name in ("notices", "hold", "close", "patience"))


def refund() -> dict[str, Any]:
    """No byte was written: the permit goes back."""
    return {"mode": "refund"}


def as_if_never_taken() -> Fate:
    """A job that never started: the same place in line, the permit back, nothing counted."""
    return Fate("park", refund(), {"wait": 0, "attempt": 0})


def answered(age_s: float) -> dict[str, Any]:
    """The first byte of the answer came `age_s` seconds ago: the call arrived before that."""
    return {"mode": "answered", "age": max(0, int(age_s * 1_000_000))}


def unanswered(more_s: float) -> dict[str, Any]:
    """No answer: the call may still arrive within `more_s` seconds."""
    return {"mode": "unanswered", "more": max(0, int(more_s * 1_000_000))}


def internal(message: str, settle: Mapping[str, Any], evidence: str = "") -> Fate:
    """The fate of a job that no one decided about: never done, always told."""
    why = {"class": "internal", "code": "internal", "message": message[:300], "alert": True}
    return Fate("bury", settle, {"why": why}, evidence)
