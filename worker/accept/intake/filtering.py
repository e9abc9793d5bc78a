"""Accept, over HTTP: the one grammar of all lists: filters in the query, a limit, and a cursor to the next page.

Promise: the same name means the same thing in every list (`account`, `operation`, `state`, `class`, `problem`, `since`,
`until`, `limit`, `cursor`); what a list does not know is refused by name, never ignored. A cursor is a place, not a
promise: what comes or goes meanwhile upsets nothing. Scope: reading the query, writing the next address.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request

from worker.accept.intake.representing import utc
from worker.accept.intake.trouble import Trouble
from worker.accept.moments import check_range
from worker.accept.moments import moment_us as moment_us_of
from worker.accept.refusal import did_you_mean
from worker.errors import Refused
from worker.fail.filter_words import FilterWords

USUAL, MOST = 50, 200
FORMATS = ("json", "csv", "jsonl")
LONGEST = 200
CURSOR = r"(-?[0-9]{1,17})~([ -~]{0,200})"


def known_names(request: Request, names: Collection[str]) -> None:
    """Raises `Trouble` for a name that is not known here, or comes twice."""
    given = [name for name, _ in request.query_params.multi_items()]
    for name in given:
        if name not in names:
            takes = f"known are {', '.join(names)}" if names else "nothing is expected here"
            raise Trouble(
                "malformed", f"?{name[:40]}= is not known; {did_you_mean(name, names)}{takes}; leave it out."
            )
        if given.count(name) > 1:
            raise Trouble("malformed", f"expected ?{name}= once, got it {given.count(name)} times; leave one.")


def text(request: Request, name: str, most: int = LONGEST) -> str | None:
    """A filter's value."""
    value = request.query_params.get(name)
    if value is None:
        return None
    if not 1 <= len(value) <= most:
        raise Trouble("malformed", f"expected ?{name}= to be 1 to {most} characters, got {len(value)}; correct it.")
    return value


def one_of(request: Request, name: str, values: Sequence[str]) -> str | None:
    """One of some words; None where none is given."""
    return choice(request, name, values) if name in request.query_params else None


def choice(request: Request, name: str, values: Sequence[str]) -> str:
    """One of some words; the first is meant where none is given."""
    value = request.query_params.get(name, values[0])
    if value not in values:
        raise Trouble("malformed", f"expected ?{name}= to be one of {', '.join(values)}, got {value[:40]!r}.")
    return value


def switch(request: Request, name: str) -> bool:
    """`true` or `false`; false where it is left out."""
    return choice(request, name, ("false", "true")) == "true"


def limit(request: Request) -> int:
    """How many on a page."""
    value = request.query_params.get("limit", str(USUAL))
    if not re.fullmatch(r"[0-9]{1,4}", value) or not 1 <= int(value) <= MOST:
        raise Trouble("malformed", f"expected ?limit= to be 1 to {MOST}, got {value[:20]!r}; correct it.")
    return int(value)


def moment_us(request: Request, name: str) -> int | None:
    """A time (µs): `2h` is two hours ago, else RFC 3339 such as 2026-01-31T09:00:00Z."""
    value = request.query_params.get(name)
    return None if value is None else moment_from(f"?{name}=", value)


def moment_from(name: str, value: str) -> int:
    """The time (µs) behind a word."""
    with _malformed():
        return moment_us_of(name, value, int(time.time() * 1e6))


def range_us(request: Request) -> tuple[int | None, int | None]:
    """The times (µs) `since` and `until`, where a letter can lie between them."""
    since_us, until_us = moment_us(request, "since"), moment_us(request, "until")
    in_range(_asked("since"), since_us, _asked("until"), until_us)
    return since_us, until_us


def in_range(since: str, since_us: int | None, until: str, until_us: int | None) -> None:
    """Raises `Trouble` for times between which nothing can lie."""
    with _malformed():
        check_range(since, since_us, until, until_us, int(time.time() * 1e6))


def words_of(request: Request, words: FilterWords) -> dict[str, str | None]:
    """The account, operation and class that are asked for. Raises `Trouble` for one that nothing can have."""
    said = {
        "account": text(request, "account"), "operation": text(request, "operation"),
        "error_class": text(request, "class"),
    }  # fmt: skip
    with _malformed():
        words.check(_asked, **said)
    return said


@contextmanager
def _malformed() -> Iterator[None]:
    """What is refused within it is a mistake of the address."""
    try:
        yield
    except Refused as error:
        raise Trouble("malformed", str(error)) from None


def _asked(name: str) -> str:
    return f"?{name}="


def cursor(request: Request) -> tuple[int, str] | None:
    """The place where the page before ended: a number and a name."""
    value = request.query_params.get("cursor")
    if value is None:
        return None
    found = re.fullmatch(CURSOR, value)
    if found is None:
        raise Trouble("malformed", "expected ?cursor= as a page's `next` gave it, got another; begin anew.")
    return int(found[1]), found[2]


def page(request: Request, items: Sequence[Mapping[str, Any]], place: tuple[int, str] | None, **fixed: int) -> Any:
    """A page, and the address of the next one (None at the end). Relative times are `fixed` for all pages."""
    following = None
    if place is not None:
        query = {name: value for name, value in request.query_params.items() if name != "cursor"}
        query |= {name: str(utc(at)) for name, at in fixed.items() if name in query}
        following = f"{request.url.path}?{urlencode(query | {'cursor': f'{place[0]}~{place[1]}'})}"
    return {"items": list(items), "next": following}
