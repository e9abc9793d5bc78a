"""Settings: what every section is made of.

Promises: a section is frozen to its leaves, refuses unknown keys, and keeps what was given out of every error text.
Scope ends at single values; how values of several sections must agree is in `agreement`.
"""

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, NoReturn, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

K = TypeVar("K")
V = TypeVar("V")
YEAR_S = 366 * 86_400.0


class Section(BaseModel):
    """A group of settings. Each field's description completes the sentence "expected …"."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True)


class FrozenDict(dict[K, V]):
    """A dict nobody can change after it was validated; copies and pickles like any other value."""

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("settings are frozen")

    __setitem__ = __delitem__ = clear = pop = popitem = setdefault = update = __ior__ = _refuse

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))

    def __reduce__(self) -> tuple[type["FrozenDict[K, V]"], tuple[dict[K, V]]]:
        return FrozenDict, (dict(self),)


def freeze(value: Mapping[K, V]) -> FrozenDict[K, V]:
    return FrozenDict(value)


def wrong(expected: str = "", came: str = "") -> PydanticCustomError:
    """The given value is not what the field wants; the arguments replace the usual words where they can say more."""
    return PydanticCustomError("expected", "not as expected", {"expected": expected, "came": came})


def sentence(text: str) -> PydanticCustomError:
    """The whole mistake in our words, for cases that "expected …, got …" does not fit."""
    return PydanticCustomError("sentence", "not as expected", {"sentence": text})


def not_bool(value: object) -> object:
    """`true` is not a number here, although Python would count with it."""
    if isinstance(value, bool):
        raise wrong()
    return value


def matching(pattern: str) -> BeforeValidator:
    """Text of exactly this form."""

    def check(value: object) -> str:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise wrong()
        return value

    return BeforeValidator(check)


def quoted_keys(pattern: str) -> Callable[[object], object]:
    """A table whose keys all have this form."""

    def check(value: object) -> object:
        if isinstance(value, Mapping) and not all(isinstance(key, str) and re.fullmatch(pattern, key) for key in value):
            raise wrong()
        return value

    return check


def upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


def absolute_url(value: object) -> str:
    """An address to build on: no trailing slash, nothing after the path, no password in it."""
    if not isinstance(value, str) or any(c.isspace() or not c.isprintable() for c in value):
        raise wrong()
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable or parts.username is not None or "?" in value or "#" in value:
        raise wrong()
    return value.rstrip("/")


Whole = Annotated[int, BeforeValidator(not_bool), Field(ge=1, le=1_000_000_000)]
Seconds = Annotated[float, BeforeValidator(not_bool), Field(gt=0, le=YEAR_S, allow_inf_nan=False)]
# The store counts in microseconds and 1440 buckets per window: below this, a bucket would be a handful of them.
WindowSeconds = Annotated[float, BeforeValidator(not_bool), Field(ge=0.01, le=YEAR_S, allow_inf_nan=False)]
WholeSeconds = Annotated[int, BeforeValidator(not_bool), Field(ge=1, le=10 * int(YEAR_S))]
Url = Annotated[str, BeforeValidator(absolute_url)]


class Limit(Section):
    """So many calls in any window of this length."""

    limit: Whole = Field(description="a whole number of calls, at least 1")
    window_s: WindowSeconds = Field(description="the length of the window in seconds, at least 0.01")


Limits = Annotated[dict[str, Limit], AfterValidator(freeze)]
