"""Commands: the filters that all commands on dead letters share.

Promise: the same options mean the same letters wherever they stand, and an address of the console means what it shows
there; a command offers only piles that it can work on. Scope: reading them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import click

from worker.accept.moments import check_range, moment_us
from worker.commands.session import Session
from worker.commands.values import MOMENT
from worker.console.query import WORDS, read_query
from worker.errors import Refused
from worker.fail.dead_letter import Filter, Which

F = TypeVar("F", bound=Callable[..., Any])

LIMIT = click.option("--limit", type=click.IntRange(1), metavar="N", help="At most N letters.")
ALL = click.option("--all", "everything", is_flag=True, help="No filter: every letter of the pile.")
ASKED = click.option(
    "--filter", "asked", metavar="F", help="A filter as the console's addresses have it: 'class=not_found&since=2h'."
)
NARROWING = (
    click.option("--until", type=MOMENT, metavar="1h", help="Only letters that died before; a time, or so long ago."),
    click.option("--since", type=MOMENT, metavar="2h", help="Only letters that died after; a time, or so long ago."),
    click.option("--problem", metavar="P", help="Only letters of this problem; see `dlq problems`."),
    click.option("--class", "error_class", metavar="C", help="Only letters of this class, such as not_found."),
    click.option("--operation", metavar="O", help="Only letters of this operation."),
    click.option("--account", metavar="A", help="Only letters of this account."),
)
PILES = {
    "expired": click.option("--expired", is_flag=True, help="Jobs never sent: their deadline passed in the line."),
    "discarded": click.option("--discarded", is_flag=True, help="Letters that were set aside."),
}


def filter_options(*piles: str) -> Callable[[F], F]:
    """`--account --operation --class --problem --since --until --limit`, and which pile if there is a choice."""

    def build(function: F) -> F:
        for option in (LIMIT, *(PILES[pile] for pile in piles), *NARROWING):
            function = option(function)
        return function

    return build


def as_options(asked: str | None, options: dict[str, Any], verb: str) -> dict[str, Any]:
    """What `--filter` says, as the options that say the same."""
    if asked is None:
        return options
    pairs = dict(parse_qsl(asked.partition("?")[2] or asked, keep_blank_values=True))
    if not pairs or (strange := sorted(set(pairs) - {*WORDS, "verb", "before"})):
        came = f"{strange[0][:40]!r}" if pairs else f"{asked[:40]!r}"
        raise click.UsageError(f"--filter: expected {', '.join(WORDS)} such as 'class=not_found&since=2h', got {came}")
    try:
        query = read_query(pairs)
    except Refused as error:
        raise click.UsageError(f"--filter: {error}") from None
    said = {
        "account": query.account or None, "operation": query.operation or None, "problem": query.problem or None,
        "error_class": query.error_class or None, "since": query.since or None, "until": query.until or None,
        "expired": query.pile == "expired", "discarded": query.pile == "discarded",
    }  # fmt: skip
    if verb != "restore" and query.pile == "discarded":
        raise click.UsageError(f"--filter: {verb} takes dead letters, got discarded ones; restore them first")
    if twice := [name for name, value in said.items() if value and options.get(name) and name != "discarded"]:
        raise click.UsageError(f"expected {twice[0]} in --filter or as an option, got both; leave one out")
    return options | {name: value for name, value in said.items() if value}


def wanted_from(session: Session, options: dict[str, Any]) -> Filter:
    """The filter behind the options; its time range is fixed from here on."""
    if options.get("discarded") and options.get("expired"):
        raise click.UsageError("expected --discarded or --expired, got both; leave one out")
    which: Which = "discarded" if options.get("discarded") else "expired" if options.get("expired") else "dead"
    now_us = session.partition.now_us()
    since, until = (
        None if options[name] is None else moment_us(f"--{name}", options[name], now_us) for name in ("since", "until")
    )
    check_range("--since", since, "--until", until, now_us)
    named = {name: options[name] for name in ("account", "operation", "error_class")}
    session.check_words(**named)
    return Filter(
        **named,
        problem=options["problem"],
        since_us=since,
        until_us=now_us if until is None else min(until, now_us),
        which=which,
    )
