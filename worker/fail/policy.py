"""Fail: from an outcome to its fate, by the table.

Promise: `decide` is a pure look-up. Every outcome of every API, for a call that may be repeated and for one that
may not, has exactly one row; what no row covers is `internal`, never done. Scope: which fate; `middleware.py`
carries it out. The rows themselves are in `rows_hub.py`, `rows_stellantis.py`, `rows_callback.py` and `rows_both.py`;
`overriding.py` changes some of them as settings say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from worker.deliver.exchange import Asked
from worker.deliver.hub import NO_ROUTING
from worker.deliver.outcome import NoData, Outcome, RateLimited, Success
from worker.fail import rows_both, rows_callback, rows_hub, rows_stellantis
from worker.fail.row import Action, Row, When

ROWS: tuple[Row, ...] = (*rows_hub.ROWS, *rows_stellantis.ROWS, *rows_callback.ROWS, *rows_both.ROWS)

WAIT_MARGIN = 1.1
"""A wait longer than the budget's longest window and a tenth cannot come from that window."""

Name = tuple[str, str, str]
"""A row's API, class and condition."""


def name_of(row: Row) -> Name:
    return row.api, row.error_class, row.when


@dataclass(frozen=True)
class Table:
    """The rows in force. `before` has the row that was replaced, for each that settings changed."""

    rows: tuple[Row, ...]
    before: Mapping[Name, Row] = field(default_factory=dict)

    @cached_property
    def index(self) -> dict[Name, Row]:
        """Of several signs with one class and one fate the first stands here; the others are there to be read."""
        return {name_of(row): row for row in reversed(self.rows)}

    def decide(
        self,
        outcome: Outcome,
        operation: Asked,
        *,
        no_data: str = "done",
        longest_window_s: float | None = None,
        offline: bool = False,
    ) -> tuple[Row, Action]:
        """The row of `outcome` and what it says for this operation.

        `no_data` is the setting of that name; `longest_window_s` is that of the budget, against which a wait is
        judged; `offline` when the answer calls our own party so.
        """
        row = self._row(outcome, operation.api, _conditions(outcome, no_data, longest_window_s, offline))
        if operation.repeatable:
            return row, row.repeatable
        before = self.before.get(name_of(row))
        if before is not None and row.unrepeatable.sends_again and outcome.executed is not False:
            # Settings may say what they like: what may have been carried out is not sent a second time.
            return row, before.unrepeatable
        return row, row.unrepeatable

    def as_rows(self) -> list[dict[str, Any]]:
        """The rows as people and programs list them; `changed` has the fates that settings replaced."""
        return [self._listed(row) for row in self.rows]

    def _listed(self, row: Row) -> dict[str, Any]:
        before = self.before.get(name_of(row))
        fates = {kind: getattr(before, kind).words() for kind in ("repeatable", "unrepeatable")} if before else {}
        now = {"repeatable": row.repeatable.words(), "unrepeatable": row.unrepeatable.words()}
        return {
            "api": row.api,
            "sign": row.sign,
            "class": row.error_class,
            **now,
            "explanation": row.explanation,
            "link": row.link,
            "alert": row.advice,
            "changed": {kind: words for kind, words in fates.items() if words != now[kind]} or None,
        }

    def _row(self, outcome: Outcome, api: str, conditions: tuple[When, ...]) -> Row:
        """The first condition that has a row decides; an API's own row goes before the one for both."""
        for when in (*conditions, ""):
            for whose in (api, "both"):
                row = self.index.get((whose, outcome.error_class, when))
                if row is not None:
                    return row
        return self.index["both", "internal", ""]


TABLE = Table(ROWS)
"""As it is documented. `overriding.py` makes the one that is in force."""

decide = TABLE.decide
as_table = TABLE.as_rows


def _conditions(
    outcome: Outcome, no_data: str, longest_window_s: float | None, offline: bool
) -> tuple[When, ...]:
    """What tells rows of one class apart, the most particular first."""
    found: list[When] = []
    if isinstance(outcome, RateLimited) and _wait_is_absurd(outcome, longest_window_s):
        found.append("absurd wait")
    if isinstance(outcome, Success) and outcome.detail == NO_ROUTING:
        found.append("no routing")
    if isinstance(outcome, Success) and offline:
        found.append("offline")
    if isinstance(outcome, NoData) and no_data == "dead":
        found.append("no data is an error")
    if outcome.executed is False:
        found.append("not executed")
    return tuple(found)


def _wait_is_absurd(outcome: Outcome, longest_window_s: float | None) -> bool:
    wait = outcome.retry_after_s
    too_long = wait is not None and longest_window_s is not None and wait > longest_window_s * WAIT_MARGIN
    return outcome.hint == "nonsense" or too_long
