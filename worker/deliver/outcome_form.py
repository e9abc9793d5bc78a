"""Deliver: what every outcome is made of.

Promise: fields cannot be changed after construction, so a middleware cannot quietly turn one fate into another; texts
are bounded to a line; an outcome survives pickling. Scope: the form; which outcomes there are is said by `outcome.py`.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Literal

Hint = Literal["ok", "none", "nonsense"]
"""What the response said about waiting: a usable time, nothing, or something no clock can obey."""

MESSAGE_LIMIT = 500
_FIELDS = ("code", "message", "retry_after_s", "hint", "vendor", "result", "executed", "detail")


def bounded(text: object, limit: int = MESSAGE_LIMIT) -> str:
    """One line of at most `limit` characters: control characters would break log lines and terminals."""
    line = str(text)
    if len(line) <= limit and line.isprintable() and "  " not in line and line == line.strip():
        return line
    words = "".join(c if c.isprintable() else " " for c in line[: limit * 4]).split()
    line = " ".join(words)
    return line if len(line) <= limit else line[: limit - 1] + "…"


class Outcome(Exception):
    """The meaning of one attempt. `executed` is True, False or None: did the remote side act on the request?"""

    error_class: ClassVar[str] = "outcome"
    executed_by_default: ClassVar[bool | None] = None

    code: str
    message: str
    retry_after_s: float | None
    hint: Hint
    vendor: Mapping[str, str]
    result: Any
    executed: bool | None
    detail: str

    def __init__(
        self,
        code: object = "",
        message: object = "",
        *,
        retry_after_s: float | None = None,
        hint: Hint = "none",
        vendor: Mapping[str, str] | None = None,
        result: Any = None,
        executed: bool | Literal["default"] | None = "default",
        detail: object = "",
    ) -> None:
        said = {str(name): bounded(value, 200) for name, value in (vendor or {}).items()}
        known = self.executed_by_default if executed == "default" else executed
        values = (bounded(code, 40), bounded(message), retry_after_s, hint, MappingProxyType(said), result, known)
        super().__init__(values[0], values[1])
        for name, value in zip(_FIELDS, (*values, bounded(detail)), strict=True):
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        if name in _FIELDS:
            raise AttributeError(f"{type(self).__name__}.{name} is fixed when the outcome is made")
        super().__setattr__(name, value)

    def __reduce__(self) -> tuple[Callable[..., "Outcome"], tuple[type["Outcome"], dict[str, Any]]]:
        return _rebuild, (type(self), self.as_dict())

    def __str__(self) -> str:
        said = ": ".join(part for part in (self.code, self.message or self.detail) if part)
        return f"{self.error_class} {said}".strip()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.code!r}, {self.message!r}, executed={self.executed})"

    def as_dict(self) -> dict[str, Any]:
        """The fields by name, as plain values."""
        return {name: getattr(self, name) for name in _FIELDS} | {"vendor": dict(self.vendor)}


def _rebuild(kind: type[Outcome], fields: dict[str, Any]) -> Outcome:
    return kind(fields.pop("code"), fields.pop("message"), **fields)


class NotExecuted(Outcome):
    """The remote side did not act on the request."""

    executed_by_default = False
