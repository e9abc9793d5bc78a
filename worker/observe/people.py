"""Observe: what points to a person or a car, by its look or by the name it stands under.

Promise: a masked value keeps its last characters (two, or four of a long one), so that a person who knows the value can
recognise it. Scope: masking values; where it is applied is `redact.py`'s business.
"""

import re
from collections.abc import Iterator
from typing import Any

from worker.observe import allowed

NAMES_FROM = 6
"""A value of fewer characters may be an ordinary word: it is masked as a field, not in every text."""

# Every repetition that could be tried again from each of its characters is bounded: texts are written by others.
_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,64}\.[\w.-]{1,64}")
VIN = re.compile(r"\b(?=[A-HJ-NPR-Z0-9]{0,16}[0-9])[A-HJ-NPR-Z0-9]{17}\b")
_PHONE = re.compile(r"\+\d[\d ]{6,16}\d\b")
_STUMP = re.compile(r"(?:(?<![\w.+@-])(?=[\w.+@-]{0,128}[\d@.])[\w.+@-]{6,128}|\+\d[\d ]{5,16})(?=…)")
"""What is left, before the mark of a cut, of a value that was cut in two and is known by its look no longer."""


def masked(value: str) -> str:
    kept = 4 if len(value) >= 12 else 2 if len(value) >= 6 else 0
    return f"…{value[len(value) - kept :]}" if kept else "…"


def without_people(text: str) -> str:
    """Masks what looks like an address, a vehicle's number or a telephone's."""
    patterns = (_EMAIL, VIN, _PHONE) if "@" in text else (VIN, _PHONE)
    for pattern in patterns:
        text = pattern.sub(lambda match: masked(match[0]), text)
    return _STUMP.sub("", text) if "…" in text else text


def names_in(value: Any, key: str = "") -> Iterator[str]:
    """The values in a call's parameters and body that point to somebody: an answer may quote them anywhere."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from names_in(item, str(name))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from names_in(item, key)
    elif isinstance(value, str) and len(value) >= NAMES_FROM and key.lower() in allowed.PERSONAL:
        yield value
