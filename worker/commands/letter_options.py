"""Commands: the filters that all commands on dead letters share.

Promise: the same options mean the same letters wherever they stand; a command offers only piles that it can work on.
Scope: reading them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from worker.commands.session import Session
from worker.commands.values import LENGTH
from worker.fail.dead_letter import Filter, Which

F = TypeVar("F", bound=Callable[..., Any])

LIMIT = click.option("--limit", type=click.IntRange(1), metavar="N", help="At most N letters.")
ALL = click.option("--all", "everything", is_flag=True, help="No filter: every letter of the pile.")
NARROWING = (
    click.option("--since", type=LENGTH, metavar="2h", help="Only letters that died within this time."),
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
    """`--account --operation --class --problem --since --limit`, and which pile if there is a choice."""

    def build(function: F) -> F:
        for option in (LIMIT, *(PILES[pile] for pile in piles), *NARROWING):
            function = option(function)
        return function

    return build


def wanted_from(session: Session, options: dict[str, Any]) -> Filter:
    """The filter behind the options; its time range is fixed from here on."""
    if options.get("discarded") and options.get("expired"):
        raise click.UsageError("expected --discarded or --expired, got both; leave one out")
    which: Which = "discarded" if options.get("discarded") else "expired" if options.get("expired") else "dead"
    now_us = session.partition.now_us()
    since: float | None = options["since"]
    return Filter(
        account=options["account"],
        operation=options["operation"],
        error_class=options["error_class"],
        problem=options["problem"],
        since_us=None if since is None else now_us - int(since * 1e6),
        until_us=now_us,
        which=which,
    )
