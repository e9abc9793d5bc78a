"""Fail: rows of the table that an installation wants otherwise, checked before anything runs by them.

Promise: no setting makes a failure a success, repeats a call that may have been carried out, or silences what nobody
has described; each refusal says why. Scope: from settings to the table in force; what a fate means is in `row.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from settings import Settings, SettingsError
from settings.fail import Override
from worker.accept.refusal import did_you_mean
from worker.deliver.outcome import BY_NAME
from worker.fail.policy import TABLE, Name, Table, name_of
from worker.fail.row import HOLD_LANE, Action, Row

_ELSEWHERE = "it is decided where no answer is looked at, by the store or when a call is enqueued"
_LATER = "it is decided after the call was answered, when nothing can be sent again"
FIXED: dict[str, str] = {
    "success": "an answer of the documented shape is done",
    "no_data": "PACELINE_FAIL__NO_DATA says whether missing data is done or a dead letter",
    "rate_limited": "a refusal for the rate closes its budget, or every process would go on and be refused too",
    "credential_refused": "a refused credential holds its account, or every waiting job would be spent on it",
    "certificate_trouble": "a certificate that is not accepted holds its account, or every waiting job would be spent "
    "on it",
    "command_timeout": _LATER,
    "undelivered": _LATER,
} | dict.fromkeys(("too_late", "fenced", "crashed", "expired", "brake", "internal", "refused"), _ELSEWHERE)
ALWAYS_TOLD = {"undocumented": "what no page describes has to be seen by somebody", "outcome_unknown": "a call of "
               "unknown outcome has to be looked at by somebody"}  # fmt: skip
TWICE = (
    "a call that must not be repeated and may have been carried out can never become a retry: it could be carried out "
    "twice; it stays a dead letter outcome_unknown"
)
_SURE = frozenset({"redirected"})
"""Not executed as a rule, but with a status (303) that says otherwise."""


def table_of(settings: Settings) -> Table:
    """The table in force. Raises `SettingsError` with one sentence for each change that cannot be made."""
    rows, before, problems = list(TABLE.rows), {}, []
    for key, change in settings.fail.policy.items():
        found = [row for row in TABLE.rows if name_of(row) == _name(key)]
        objections = list(_objections(key, change, found))
        problems += [f"PACELINE_FAIL__POLICY.{key}: {said}{'' if said.endswith('?') else '.'}" for said in objections]
        for row in found if not objections else ():
            rows[rows.index(row)] = _changed(row, change)
            before[name_of(row)] = row
    if problems:
        raise SettingsError(problems)
    return Table(tuple(rows), before) if before else TABLE


def _name(key: str) -> Name:
    api, _, rest = key.partition(":")
    error_class, _, when = rest.partition(":")
    return api, error_class, when


def _spelled(row: Row) -> str:
    return ":".join(part for part in name_of(row) if part)


def _objections(key: str, change: Override, rows: list[Row]) -> Iterator[str]:
    if not rows:
        known = [_spelled(row) for row in TABLE.rows]
        other = f"both:{key.partition(':')[2]}"
        hint = f"the row is {other}, for both APIs" if other in known else did_you_mean(key, known).rstrip()
        yield f"the table has no such row; {hint or '`python -m worker policy` prints them'}"
        return
    row = rows[0]
    if reason := FIXED.get(row.error_class):
        yield f"this row cannot be changed: {reason}"
        return
    if change.alert is False and row.error_class in ALWAYS_TOLD:
        yield f"its alert cannot be turned off: {ALWAYS_TOLD[row.error_class]}"
    if change.unrepeatable is not None and not _surely_not_executed(row):
        yield f"unrepeatable cannot be {change.unrepeatable!r}: {TWICE}" if change.unrepeatable != "dead" else (
            "unrepeatable cannot be 'dead': the call may have been carried out, and a plain dead letter would be sent "
            "again by habit; it stays a dead letter outcome_unknown"
        )


def _surely_not_executed(row: Row) -> bool:
    if row.unrepeatable.kind == "unknown" or row.error_class in _SURE:
        return False
    return row.when == "not executed" or BY_NAME[row.error_class].executed_by_default is False


def _changed(row: Row, change: Override) -> Row:
    return replace(
        row,
        repeatable=_action(row.repeatable, change.repeatable, change.alert),
        unrepeatable=_action(row.unrepeatable, change.unrepeatable, change.alert),
    )


def _action(before: Action, fate: str | None, alert: bool | None) -> Action:
    tells = before.tells if alert is None else alert
    kind = before.kind if fate is None else fate
    if kind == "hold":
        return HOLD_LANE  # a lane that stops has to be seen
    if kind in ("retry", "quick"):
        return Action("retry" if kind == "retry" else "quick", last_alert=tells)
    if kind == "dead":
        return Action("dead", alert=tells)
    return before
