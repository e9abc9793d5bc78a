"""Accept: a time as a filter says it: `2h` is two hours ago, or a point in time (RFC 3339).

Promise: an address of a page, a query of the API, a file's address and an option of a command read the same text as the
same time; what is neither is refused with what was expected. Scope: reading; which end of a filter it is, its reader
knows.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from worker.errors import Refused

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
AGO = r"([0-9]{1,9}(?:\.[0-9]{1,3})?) ?(ms|s|m|min|h|d)?"
_POINT = re.compile(r"[0-9]{4}(?:-[0-9]{2}){2}T[0-9]{2}(?::[0-9]{2}){2}(?:\.[0-9]{1,20})?(?:Z|[+-][0-9]{2}:[0-9]{2})")
AHEAD_US = 60_000_000
"""How far another machine's clock may be ahead."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment_us(name: str, text: str, now_us: int) -> int:
    """The time (µs) that `text` says, `name` being where it stands. Raises `Refused`."""
    if ago := re.fullmatch(AGO, text):
        return max(0, now_us - int(float(ago[1]) * UNITS[ago[2] or "s"] * 1e6))
    try:
        if not _POINT.fullmatch(text):
            raise ValueError
        return (datetime.fromisoformat(text) - _EPOCH) // timedelta(microseconds=1)
    except (ValueError, OverflowError):
        raise Refused(
            f"expected {name} to be a length of time such as 30s, 5m, 2h, 1d or a time such as 2026-01-31T09:00:00Z, "
            f"got {text[:40]!r}; correct it."
        ) from None


def check_range(since: str, since_us: int | None, until: str, until_us: int | None, now_us: int) -> None:
    """Raises `Refused` for times between which nothing can lie; `since` and `until` are how they are written here."""
    if since_us is None:
        return
    if since_us > now_us + AHEAD_US:
        raise Refused(f"expected {since} to be a time that has been, got one in the future; correct it.")
    if until_us is not None and since_us > until_us:
        raise Refused(f"expected {since} to be before {until}, got a later time; exchange them (2h is before 1h).")
