"""Commands: values as people type them: JSON, lengths of time, and the options that several commands share.

Promise: what cannot be read is refused with what was expected, what came, and where; its content, which may be
personal, is not repeated. Scope: reading.
"""

from __future__ import annotations

import getpass
import json
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from worker.accept.moments import UNITS, moment_us
from worker.errors import Refused

F = TypeVar("F", bound=Callable[..., Any])
NUMBER = "{n}"


class Length(click.ParamType[float]):
    """A length of time such as `30s`, `5m`, `2h`, `1d`; a bare number is seconds."""

    name = "length"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float | int):
            return float(value)
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|m|min|h|d)?", str(value).strip())
        if found is None:
            self.fail(f"expected a length of time such as 30s, 5m, 2h or 1d, got {str(value)[:40]!r}", param, ctx)
        return float(found[1]) * UNITS[found[2] or "s"]


class Moment(click.ParamType[str]):
    """A time as filters say it: `2h` ago, or RFC 3339. Stays text: what is ago is counted by the store's clock."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            moment_us("it", str(value), 0)
        except Refused as error:
            self.fail(str(error), param, ctx)
        return str(value)


class JsonText(click.ParamType[str]):
    """JSON, or `@FILE` to read it from there. Stays text: `{n}` is replaced before it is read."""

    name = "json"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value)
        if not text.startswith("@"):
            return text
        try:
            return Path(text[1:]).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            self.fail(f"expected a file with JSON after the @, but {text[1:]!r} cannot be read: {why}", param, ctx)


LENGTH = Length()
MOMENT = Moment()
JSON_TEXT = JsonText()


def read_json(option: str, text: str, number: int) -> Any:
    """The value behind `text`, with the running number put in. Raises `click.UsageError` that names the place."""
    whole = text.replace(NUMBER, str(number))
    try:
        return json.loads(whole, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}" if error.lineno > 1 else f"column {error.colno}"
        raise click.UsageError(
            f'{option}: expected JSON such as \'{{"name": "value"}}\', but it breaks at {place}: '
            f"{error.msg.removesuffix(' at')[0].lower()}{error.msg.removesuffix(' at')[1:]}; "
            "put single quotes around the whole and double quotes around names and texts"
        ) from None
    except ValueError as error:
        raise click.UsageError(f"{option}: expected JSON, got {error}, which JSON does not have") from None
    except RecursionError:
        raise click.UsageError(
            f"{option}: expected JSON of a reasonable depth, got one that is nested too deeply"
        ) from None


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def who() -> str:
    """The person at this terminal, for the audit."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError, ImportError):
        name = "unknown"
    return f"{name}@{socket.gethostname()}"[:80]


def json_option(function: F) -> F:
    """`--json`, which every command that reads has."""
    return click.option("--json", "as_json", is_flag=True, help="JSON instead of text; lists are JSON lines.")(function)


def lane_options(function: F) -> F:
    """`--account` and `--operation`, as filters."""
    function = click.option("--operation", metavar="O", help="Only this operation, such as hub.start_session.")(
        function
    )
    return click.option("--account", metavar="A", help="Only this account, such as hub:IN-ABC.")(function)
