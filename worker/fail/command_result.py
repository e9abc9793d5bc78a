"""Fail: the fate of a command, by the result that its receiver reports later.

Promise: the same table decides as for a direct answer, but nothing is sent again because of a result; one that nobody
documented leaves the outcome unknown. Scope:
from the word to the verdict that `store/lua/answer.lua` carries out; who may report is that script's business.
Source: OCPI 2.2.1, Commands module, CommandResultType.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from worker.deliver.outcome import (
    CommandFailed,
    CommandRejected,
    CommandTimeout,
    CommandUnsupported,
    Outcome,
    Success,
    Undocumented,
)
from worker.fail.policy import TABLE, Table

OUTCOMES: dict[str, type[Outcome]] = {
    "ACCEPTED": Success,
    "REJECTED": CommandRejected,
    "EVSE_OCCUPIED": CommandRejected,
    "EVSE_INOPERATIVE": CommandRejected,
    "NOT_SUPPORTED": CommandUnsupported,
    "CANCELED_RESERVATION": CommandFailed,
    "UNKNOWN_RESERVATION": CommandFailed,
    "FAILED": CommandFailed,
    "TIMEOUT": CommandTimeout,
}


@dataclass(frozen=True, slots=True)
class AnyCommand:
    """All that the table asks about a command: they are alike in this."""

    name: str = "a command"
    api: str = "hub"
    budget: str = "commands"
    repeatable: bool = False
    meaning: str = "command"


def verdict(result: str, said: str, table: Table = TABLE) -> dict[str, Any]:
    """`{done, why}` for a command whose receiver reported `result` and `said` (redacted words, may be empty)."""
    return _fate(OUTCOMES.get(result, Undocumented)(code=result, message=said or f"result {result}"), table)


def unheard() -> dict[str, Any]:
    """Why a command is buried whose result has not come in time."""
    why: dict[str, Any] = _fate(CommandTimeout(message="it was accepted, and its result never came"), TABLE)["why"]
    return why


def _fate(outcome: Outcome, table: Table) -> dict[str, Any]:
    _, action = table.decide(outcome, AnyCommand())
    if action.kind == "done":
        return {"done": True}
    unknown = action.kind == "unknown"
    why = {
        "class": "outcome_unknown" if unknown else outcome.error_class,
        "code": outcome.code or outcome.error_class,
        "message": outcome.message,
        "alert": action.tells,
    }
    return {"done": False, "why": why}
