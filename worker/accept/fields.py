"""Accept: the kinds of values that parameters and bodies are made of.

Promise: an id that passes `PathId` can stand in a URL path without changing which resource is meant; a value marked
`Personal` is never repeated in a refusal. Scope: single values; whole requests are checked in `operation.py`.
"""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, JsonValue, PlainSerializer
from pydantic_core import PydanticCustomError

from worker.accept.refusal import EXPECTED, RULE, Personal

__all__ = ["AnyObject", "Fields", "PathId", "Personal", "Text", "UtcTime", "expected", "rule"]


class Fields(BaseModel):
    """Parameters or a body in the vendor's own names; an unknown name is a typing error and refused."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        coerce_numbers_to_str=True,  # `{"vid": 42}` is what a shell user writes for the id "42"
        allow_inf_nan=False,  # neither is JSON
        hide_input_in_errors=True,
    )


def expected(text: str) -> PydanticCustomError:
    """A refusal by a field's validator; what came is added, masked where it has to be."""
    return PydanticCustomError(EXPECTED, "{text}", {"text": text})


def rule(text: str) -> PydanticCustomError:
    """A refusal by a validator over several fields, which itself says what was expected and what came."""
    return PydanticCustomError(RULE, "{text}", {"text": text})


def _printable(value: str) -> str:
    if not value or not value.isprintable():
        raise expected("text of one or more printable characters")
    if value != value.strip():
        raise expected("a value without spaces around it")
    return value


def _path_id(value: str) -> str:
    # ".." and "/" are refused although "/" would be percent-encoded: proxies on the way decode and normalise paths.
    if ".." in value or value == ".":
        raise expected("an id without '..'")
    if "/" in value or "\\" in value:
        raise expected("an id without '/' or '\\'")
    return value


def _written_time(value: object) -> object:
    # A bare number would silently be read as seconds since 1970.
    if not isinstance(value, str | datetime):
        raise expected("a time like 2026-01-31T09:30:00Z")
    return value


def _in_utc(value: datetime) -> datetime:
    # OCPI 2.2.1: a time without designator is UTC.
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _as_text(value: datetime) -> str:
    digits = "milliseconds" if value.microsecond else "seconds"
    return value.replace(tzinfo=None).isoformat(timespec=digits) + "Z"


Text = Annotated[str, AfterValidator(_printable)]
PathId = Annotated[Text, AfterValidator(_path_id)]
UtcTime = Annotated[
    datetime,
    BeforeValidator(_written_time),
    AfterValidator(_in_utc),
    PlainSerializer(_as_text, return_type=str, when_used="json"),
]
AnyObject = dict[str, JsonValue]
