"""Observe: the values that the catalogue itself names for a field: a door is `Locked` or `Unlocked`, a token is `RFID`.

Promise: a value is one of these only under the very name it was named for, in the very spelling. Scope: knowing them;
the register of operations tells their models, and `redact.py` shows such values in what a call was asked with.
"""

from __future__ import annotations

from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel

_KNOWN: set[tuple[str, str]] = set()


def learn(model: type[BaseModel] | None) -> None:
    """Notes the named values of a model and of those inside it."""
    if model is None:
        return
    for name, field in model.model_fields.items():
        _note((field.alias or name).lower(), field.annotation)


def is_choice(name: str, value: Any) -> bool:
    return isinstance(value, str) and (name.lower(), value) in _KNOWN


def _note(name: str, kind: Any) -> None:
    if get_origin(kind) is Literal:
        _KNOWN.update((name, value) for value in get_args(kind) if isinstance(value, str))
    elif isinstance(kind, type) and issubclass(kind, BaseModel):
        learn(kind)
    else:
        for part in get_args(kind):
            _note(name, part)
