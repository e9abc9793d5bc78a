"""Console: the filter grammar: what stands in an address, as a filter on dead letters.

Promise: the words are those of the API's filters and of the command line's options (`account`, `operation`, `class`,
`problem`, `since`, `until`), so what a person filtered can be said in each; a mistake is answered with what was
expected, and never guessed at; an address made here means the same when it is opened elsewhere. Scope: reading and
writing addresses.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, get_args
from urllib.parse import urlencode

from worker.accept.moments import check_range, moment_us
from worker.errors import Refused
from worker.fail.dead_letter import Filter, Which

WORDS = ("account", "operation", "class", "problem", "since", "until", "pile")
LONGEST = 120


@dataclass(frozen=True, slots=True)
class Query:
    """What was asked for, as text; empty means: any."""

    account: str = ""
    operation: str = ""
    error_class: str = ""
    problem: str = ""
    since: str = ""
    until: str = ""
    pile: Which = "dead"

    @property
    def words(self) -> dict[str, str]:
        """The parts that say something, by their names in an address."""
        values = (self.account, self.operation, self.error_class, self.problem, self.since, self.until)
        said = {name: value for name, value in zip(WORDS, values, strict=False) if value}
        return said if self.pile == "dead" else said | {"pile": self.pile}

    @property
    def criteria(self) -> dict[str, str]:
        """The same without the pile."""
        return {name: value for name, value in self.words.items() if name != "pile"}

    def address(self, path: str = "/dead-letters", **more: str) -> str:
        """Where these letters are listed."""
        words = self.words | {name: value for name, value in more.items() if value}
        return f"{path}?{urlencode(words)}" if words else path

    def without(self, name: str) -> Query:
        changes: dict[str, Any] = {"error_class" if name == "class" else name: ""}
        return replace(self, **changes)

    def in_pile(self, pile: Which) -> Query:
        return replace(self, pile=pile)

    def wanted(self, now_us: int) -> Filter:
        """The filter; its time range is fixed from here on."""
        since_us = moment_us("since", self.since, now_us) if self.since else None
        until_us = min(now_us, moment_us("until", self.until, now_us)) if self.until else now_us
        check_range("since", since_us, "until", until_us if self.until else None, now_us)
        return Filter(
            account=self.account or None,
            operation=self.operation or None,
            error_class=self.error_class or None,
            problem=self.problem or None,
            since_us=since_us,
            until_us=until_us,
            which=self.pile,
        )

    def command(self) -> str:
        """What lists the same on the command line."""
        options = [f"--{name} {shlex.quote(value)}" for name, value in self.criteria.items()]
        piles = [] if self.pile == "dead" else [f"--{self.pile}"]
        return " ".join(["python -m worker dlq list", *options, *piles])


def forgiving(given: Mapping[str, Any]) -> tuple[Query, str]:
    """The query in an address; and what is wrong with it, if anything is: then as it was typed, to be mended there."""
    try:
        return read_query(given), ""
    except Refused as error:
        said = {name: "".join(one for one in value if one.isprintable())[:LONGEST] for name, value in _said(given)}
        pile = next((one for one in get_args(Which) if one == said["pile"]), "dead")
        return _made(said | {"pile": pile}), str(error)


def read_query(given: Mapping[str, Any]) -> Query:
    """The query in an address or a form. Raises `Refused`."""
    said = dict(_said(given))
    for name, value in said.items():
        if len(value) > LONGEST or not value.isprintable():
            raise Refused(f"{name}: expected at most {LONGEST} printable characters, got {len(value)}; shorten it.")
    if said["problem"] and not re.fullmatch(r"[0-9a-f]{16}", said["problem"]):
        raise Refused("problem: expected 16 hexadecimal digits, got something else; choose one of the list.")
    for name in ("since", "until"):
        if said[name]:
            moment_us(name, said[name], 0)
    return _made(said)


def _said(given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    return ((name, str(given.get(name) or "").strip()) for name in WORDS)


def _made(said: Mapping[str, str]) -> Query:
    return Query(
        account=said["account"],
        operation=said["operation"],
        error_class=said["class"],
        problem=said["problem"],
        since=said["since"],
        until=said["until"],
        pile=pile_of(said["pile"] or "dead"),
    )


def pile_of(word: str) -> Which:
    piles: dict[str, Which] = {one: one for one in get_args(Which)}
    if word not in piles:
        raise Refused(f"pile: expected one of {', '.join(piles)}, got {word[:40]!r}.")
    return piles[word]
