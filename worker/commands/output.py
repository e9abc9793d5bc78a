"""Commands: how answers look. Tables on a terminal, plain aligned columns elsewhere, JSON where it is asked for.

Promise: nothing that came from outside can move the cursor or colour the screen; a table is never cut off where a
program reads it. Scope: form.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

ABSENT = "-"


class Exit(IntEnum):
    """Exit codes, as documented."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    NOT_FOUND = 4
    PARTLY = 5
    INTERRUPTED = 130


def say(text: str) -> None:
    """Talk: one line on standard error."""
    print(f"paceline: {clean(text)}", file=sys.stderr, flush=True)


def emit(value: Any) -> None:
    """One JSON value on a line of its own."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, separators=(", ", ": "), default=str) + "\n")


def line(text: str = "") -> None:
    """One line of an answer."""
    sys.stdout.write(clean(text) + "\n")


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], empty: str) -> None:
    """Rows under headings; `empty` is said, on standard error, when there are none."""
    cells = [[cell(value) for value in row] for row in rows]
    if not cells:
        say(empty)
    elif sys.stdout.isatty():
        _rich(columns, cells)
    else:
        _plain(columns, cells)


def _rich(columns: Sequence[str], cells: list[list[str]]) -> None:
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        shown.add_column(column, overflow="fold")
    for row in cells:
        shown.add_row(*(Text(value) for value in row))
    Console(file=sys.stdout).print(shown)


def _plain(columns: Sequence[str], cells: list[list[str]]) -> None:
    widths = [max(len(column), *(len(row[at]) for row in cells)) for at, column in enumerate(columns)]
    for row in [list(columns), *cells]:
        line("  ".join(value.ljust(width) for value, width in zip(row, widths, strict=True)).rstrip())


def cell(value: Any) -> str:
    return ABSENT if value is None or value == "" else clean(str(value))


def clean(text: str) -> str:
    """One line without control characters: an answer from outside must not steer the terminal."""
    return "".join(one if one.isprintable() else " " for one in text)


def facts(pairs: Iterable[tuple[str, Any]]) -> Iterator[str]:
    """Lines of `name  value`, for what has a value."""
    shown = [(name, cell(value)) for name, value in pairs if value not in (None, "")]
    width = max((len(name) for name, _ in shown), default=0)
    return (f"{name.ljust(width)}  {value}" for name, value in shown)


def utc(us: int) -> str | None:
    """A time of the store as ISO 8601 in UTC."""
    return (
        datetime.fromtimestamp(us / 1e6, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if us else None
    )


def ago(us: int) -> str | None:
    """How long ago a time of the store was, with the time itself."""
    if not us:
        return None
    seconds = time.time() - us / 1e6
    return f"{span(abs(seconds))} {'ago' if seconds >= 0 else 'from now'}"


def when(us: int) -> str | None:
    return f"{utc(us)} ({ago(us)})" if us else None


def span(seconds: float | None) -> str:
    """A length of time in its largest fitting unit."""
    if seconds is None:
        return ABSENT
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.1f} s"


def times(record: dict[str, Any]) -> dict[str, Any]:
    """The record with every `…_us` also readable: `created_us` becomes `created`, in UTC."""
    readable = {
        name.removesuffix("_us"): utc(value) for name, value in record.items() if name.endswith("_us") and value
    }
    return {name: value for name, value in record.items() if not name.endswith("_us")} | readable
