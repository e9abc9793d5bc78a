"""Fail: from an outcome to its fate, by the table.

Promise: `decide` is a pure look-up. Every outcome of every API, for a call that may be repeated and for one that
may not, has exactly one row; what no row covers is `internal`, never done. Scope: which fate; `middleware.py`
carries it out. The rows themselves are in `rows_hub.py`, `rows_stellantis.py` and `rows_both.py`.
"""

from typing import Any

from worker.deliver.exchange import Asked
from worker.deliver.hub import NO_ROUTING
from worker.deliver.outcome import NoData, Outcome, RateLimited, Success
from worker.fail import rows_both, rows_hub, rows_stellantis
from worker.fail.row import Action, Row, When

ROWS: tuple[Row, ...] = (*rows_hub.ROWS, *rows_stellantis.ROWS, *rows_both.ROWS)

WAIT_MARGIN = 1.1
"""A wait longer than the budget's longest window and a tenth cannot come from that window."""

# Of several signs with one class and one fate the first stands in the index; the others are there to be read.
_INDEX: dict[tuple[str, str, str], Row] = {(row.api, row.error_class, row.when): row for row in reversed(ROWS)}


def decide(
    outcome: Outcome, operation: Asked, *, no_data: str = "done", longest_window_s: float | None = None
) -> tuple[Row, Action]:
    """The row of `outcome` and what it says for this operation.

    `no_data` is the setting of that name; `longest_window_s` is that of the budget, against which a wait is judged.
    """
    row = _row(outcome, operation.api, _conditions(outcome, no_data, longest_window_s))
    return row, row.repeatable if operation.repeatable else row.unrepeatable


def as_table() -> list[dict[str, Any]]:
    """The rows as people and programs list them."""
    return [
        {
            "api": row.api,
            "sign": row.sign,
            "class": row.error_class,
            "repeatable": row.repeatable.words(),
            "unrepeatable": row.unrepeatable.words(),
            "explanation": row.explanation,
            "link": row.link,
            "alert": row.alert,
        }
        for row in ROWS
    ]


def _row(outcome: Outcome, api: str, conditions: tuple[When, ...]) -> Row:
    """The first condition that has a row decides; an API's own row goes before the one for both."""
    for when in (*conditions, ""):
        for whose in (api, "both"):
            row = _INDEX.get((whose, outcome.error_class, when))
            if row is not None:
                return row
    return _INDEX["both", "internal", ""]


def _conditions(outcome: Outcome, no_data: str, longest_window_s: float | None) -> tuple[When, ...]:
    """What tells rows of one class apart, the most particular first."""
    found: list[When] = []
    if isinstance(outcome, RateLimited) and _wait_is_absurd(outcome, longest_window_s):
        found.append("absurd wait")
    if isinstance(outcome, Success) and outcome.detail == NO_ROUTING:
        found.append("no routing")
    if isinstance(outcome, NoData) and no_data == "dead":
        found.append("no data is an error")
    if outcome.executed is False:
        found.append("not executed")
    return tuple(found)


def _wait_is_absurd(outcome: Outcome, longest_window_s: float | None) -> bool:
    wait = outcome.retry_after_s
    too_long = wait is not None and longest_window_s is not None and wait > longest_window_s * WAIT_MARGIN
    return outcome.hint == "nonsense" or too_long
