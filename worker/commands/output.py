"""Commands: how answers look. Tables that fit the terminal, JSON where it is asked for.

Promise: nothing that came from outside can move the cursor or colour the screen; nothing is cut off, and no id is ever
broken in two. Scope: form.
"""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any

import click

ABSENT = "-"
GAP = 2
INDENT = "    "


class Exit(IntEnum):
    """Exit codes, as documented."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    NOT_FOUND = 4
    PARTLY = 5
    INTERRUPTED = 130


class ReaderGone(Exception):
    """Whoever reads our output has seen enough. Not an OSError: click would end the process with 1."""


def say(text: str) -> None:
    """Talk: one line on standard error."""
    print(f"paceline: {clean(text)}", file=sys.stderr, flush=True)


def emit(value: Any) -> None:
    """One JSON value on a line of its own."""
    _write(as_json(value))


def line(text: str = "") -> None:
    """One line of an answer."""
    _write(clean(text))


def _write(text: str) -> None:
    try:
        sys.stdout.write(text + "\n")
    except BrokenPipeError:
        raise ReaderGone from None


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], empty: str) -> None:
    """Rows under headings; `empty` is said, on standard error, when there are none."""
    cells = [[cell(value) for value in row] for row in rows]
    if not cells:
        say(empty)
        return
    terminal = sys.stdout.isatty()
    head, *body = laid_out(columns, cells, shutil.get_terminal_size().columns if terminal else None)
    _write(click.style(head, bold=True) if terminal else head)
    for text in body:
        _write(text)


def laid_out(columns: Sequence[str], cells: list[list[str]], width: int | None) -> list[str]:
    """Lines of a table. What does not fit into `width` follows each row as `name: value`; nothing is cut or folded."""
    widths = [max(len(column), *(len(row[at]) for row in cells)) for at, column in enumerate(columns)]
    fit = len(columns)
    while width is not None and fit > 1 and sum(widths[:fit]) + GAP * (fit - 1) > width:
        fit -= 1
    lines = []
    for row in [list(columns), *cells]:
        lines.append((" " * GAP).join(value.ljust(widths[at]) for at, value in enumerate(row[:fit])).rstrip())
        rest = [f"{name}: {value}" for name, value in zip(columns[fit:], row[fit:], strict=True) if value != ABSENT]
        if rest and width is not None and len(lines) > 1:
            lines += textwrap.wrap("; ".join(rest), width, initial_indent=INDENT, subsequent_indent=INDENT)
    return lines


def cell(value: Any) -> str:
    if value is None or value == "":
        return ABSENT
    return clean(as_json(value) if isinstance(value, dict | list) else str(value))


def as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


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
    """How long ago a time of the store was, or how long it is until then."""
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
        if seconds >= 2 * size or seconds == size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"


def many(count: int, one: str, more: str = "") -> str:
    """Such as `1 letter`, `2 letters`."""
    return f"{count} {one if count == 1 else more or one + 's'}"


def times(record: dict[str, Any]) -> dict[str, Any]:
    """The record with every `…_us` also readable: `created_us` becomes `created`, in UTC."""
    readable = {
        name.removesuffix("_us"): utc(value) for name, value in record.items() if name.endswith("_us") and value
    }
    return {name: value for name, value in record.items() if not name.endswith("_us")} | readable
