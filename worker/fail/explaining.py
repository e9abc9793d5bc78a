"""Fail: which row of the table speaks of a dead letter, and what it advises for that very operation.

Promise: a call of unknown outcome is explained by what happened to it, not by its class alone; no advice names a read
that the operation does not have. Scope: from class, code and operation to words; the rows are in the `rows_` modules,
what can be done about one letter is said by `dead_letter.py`.
"""

from __future__ import annotations

import re

from worker.accept.operation import operations
from worker.fail.policy import ROWS
from worker.fail.row import Row

UNKNOWN = "outcome_unknown"
_CAUSES = {
    "worker_crashed": "crashed",
    "TIMEOUT": "command_timeout",  # as the other side reports it; the same when nothing is reported
    "2000": "generic_error",
}
_TROUBLE = {
    "hub": ("remote_trouble", re.compile(r"4002|3[0-9]{3}|http_5[0-9]{2}")),
    "stellantis": ("server_trouble", re.compile(r"http_50[0234]|50[0234][0-9]{2}")),
}
_CLASSES = frozenset(row.error_class for row in ROWS)
_KIND = re.compile(r"[a-z][a-z_]*")
_ONLY_IF = "Send it again only if it was not carried out, else set it aside."


def cause_of(api: str, error_class: str, code: str) -> str:
    """The class whose row decided. An unknown outcome has many causes, and its code tells them apart: a word of ours
    for what happened on the way, a number or a name of theirs for what was answered.
    """
    if error_class != UNKNOWN or not code:
        return error_class
    if code in _CAUSES:
        return _CAUSES[code]
    if code in _CLASSES:
        return code
    trouble, codes = _TROUBLE.get(api, ("", None))
    if codes is not None and codes.fullmatch(code):
        return trouble
    return UNKNOWN if _KIND.fullmatch(code) else "undocumented"


def row_of(api: str, error_class: str, code: str = "") -> Row | None:
    """The table's row for a class and a code, the API's own before the one for both."""
    cause = cause_of(api, error_class, code)
    rows = [row for whose in (api, "both") for row in ROWS if (row.api, row.error_class) == (whose, cause)]
    return next(iter(rows), None)


def futile_because(api: str, error_class: str, code: str) -> str | None:
    """Why sending it again does not help until something has changed; None where it may."""
    row = row_of(api, error_class, code)
    return " ".join(text for text in (row.explanation, row.alert) if text) if row is not None and row.futile else None


def advice_for(row: Row | None, operation: str, *, unsure: bool) -> str | None:
    """What to do. `unsure`: the row leaves open whether a call that must not be repeated was carried out."""
    said = [row.alert] if row is not None and row.alert else []
    if unsure and (how := finding_out(operation)):
        said.append(how)
    return " ".join(said) or None


def finding_out(operation: str) -> str | None:
    """How to learn what became of a call; None where that does not matter, since it may be repeated."""
    known = operations.get(operation)
    if known is None:
        return f"If it must not be repeated, find out first what became of the call. {_ONLY_IF}"
    if known.repeatable:
        return None
    if known.reconcile:
        return f"The read {known.reconcile} tells what became of the call. {_ONLY_IF}"
    return f"No read tells what became of the call: ask the other side or its support. {_ONLY_IF}"
