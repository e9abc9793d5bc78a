"""Limiter: what a response says about its limits and about waiting.

Promise: any headers whatever give a reading, and only what can be believed is in it: a number that is none, a
remaining above its limit or a wait no clock can obey is left out and named as nonsense. Where a response
contradicts itself, the reading is the more careful one. Scope: reading; what is done about it is in `limiter.py`.

One API numbers its windows (`X-RateLimit-Limit-1` for the day, `-2` for the burst); gateways before it name a single
window without a number. Waits come as seconds, as a date, or as seconds since 1970.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

Window = tuple[int | None, int | None]
"""Limit and remaining; None where the response does not say, or not believably."""

_NAME = re.compile(r"x-ratelimit-(limit|remaining)(?:-(\d{1,2}))?")
_COUNT = re.compile(r"(?:name=[^,;]*,)?\s*(-?\d{1,15})\s*;?")
_NUMBER = re.compile(r"[+-]?\d{1,15}(?:\.\d{1,9})?")
_LONGEST_WAIT_S = 3 * 365 * 86400.0
_EPOCH_S, _EPOCH_MS = 1e9, 1e12


@dataclass(frozen=True, slots=True)
class RateHeaders:
    """`windows` by suffix ("" where there is none). `retry_after_s` is the longer of both waits; the two stand
    beside it.
    """

    windows: dict[str, Window]
    retry_after_s: float | None
    hint: Literal["ok", "none", "nonsense"]
    after_s: float | None = None
    reset_s: float | None = None


def read_rate_headers(headers: Mapping[str, str] | Iterable[tuple[str, str]], now_utc: datetime) -> RateHeaders:
    """The reading of one response. Dates are compared with its own `Date`, so a skewed clock of ours does no harm."""
    pairs = [(k.lower(), v.strip()) for k, v in (headers.items() if isinstance(headers, Mapping) else headers)]
    now = next((date for name, value in pairs if name == "date" and (date := _date(value))), now_utc)
    after = _longest(pairs, "retry-after", now)
    reset = _longest(pairs, "x-ratelimit-reset", now)
    believed = [wait for wait in (after[0], reset[0]) if wait is not None]
    hint: Literal["ok", "none", "nonsense"] = "ok" if believed else "nonsense" if after[1] or reset[1] else "none"
    return RateHeaders(_windows(pairs), max(believed, default=None), hint, after[0], reset[0])


def _windows(pairs: list[tuple[str, str]]) -> dict[str, Window]:
    found: dict[str, dict[str, int]] = {}
    for name, text in pairs:
        match, value = _NAME.fullmatch(name), _count(text)
        if match is None or value is None:
            continue
        window = found.setdefault(match[2] or "", {})
        # Twice with different numbers: the lower one can only make us slower.
        window[match[1]] = min(value, window.get(match[1], value))
    return {suffix: _believable(window.get("limit"), window.get("remaining")) for suffix, window in found.items()}


def _believable(limit: int | None, remaining: int | None) -> Window:
    limit = limit if limit is not None and limit > 0 else None
    if remaining is not None and limit is not None and remaining > limit:
        remaining = None
    return limit, None if remaining is None else max(0, remaining)


def _count(text: str) -> int | None:
    match = _COUNT.fullmatch(text) if text.isascii() else None
    return int(match[1]) if match else None


def _longest(pairs: list[tuple[str, str]], name: str, now: datetime) -> tuple[float | None, bool]:
    """The longest believable wait under that name, and whether the name was there at all."""
    values = [text for key, text in pairs if key == name]
    waits = [wait for text in values if (wait := _wait(text, now)) is not None]
    return max(waits, default=None), bool(values)


def _wait(text: str, now: datetime) -> float | None:
    if text.isascii() and _NUMBER.fullmatch(text):
        seconds = float(text)
        if seconds >= _EPOCH_MS:
            seconds /= 1000
        if seconds >= _EPOCH_S:
            seconds = max(0.0, seconds - now.timestamp())
    else:
        moment = _date(text)
        seconds = math.nan if moment is None else max(0.0, (moment - now).total_seconds())
    return seconds if 0 <= seconds <= _LONGEST_WAIT_S else None


def _date(text: str) -> datetime | None:
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            moment = read(text[:64])
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        except (ValueError, TypeError, OverflowError, IndexError):
            continue
    return None
