"""Commands: `hub`: what only its users can know: that something the hub should have delivered has not come.

Promise: a report says which letter stands for it now, and what to do next. Scope: words; `worker.fail.undelivered`
keeps it.
"""

from __future__ import annotations

from datetime import UTC, datetime

import click

from worker.accept.operation import account_for
from worker.commands.output import emit, line, say
from worker.commands.session import Session, with_session
from worker.commands.tree import Tree
from worker.commands.values import json_option, who
from worker.fail.undelivered import OWED, Missing, report

WORDS = {
    "reported": "is kept as the dead letter",
    "noted": "was reported before; noted on the dead letter",
    "again": "was set aside before; open again is the dead letter",
}


@click.group("hub", cls=Tree)
def hub() -> None:
    """Report what the hub did not deliver."""


@hub.command("undelivered", short_help="Report a session, CDR or result that never came.")
@click.argument("account", metavar="ACCOUNT")
@click.argument("what", type=click.Choice(list(OWED)), metavar=f"[{'|'.join(OWED)}]")
@click.argument("identifier", metavar="ID")
@click.option(
    "--expected",
    type=click.DateTime(["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"]),
    metavar="UTC",
    help="When it should have come, such as 2026-01-31T09:00:00Z.",
)
@click.option("--correlation", default="", metavar="ID", help="The X-Correlation-ID, where one is known.")
@click.option("--note", default="", help="What else support should know.")
@json_option
@with_session
def undelivered_command(
    session: Session, account: str, what: str, identifier: str, expected: datetime | None, correlation: str,
    note: str, as_json: bool,
) -> None:  # fmt: skip
    """Report something the hub owed us and did not deliver. ID is its session id, CDR id, or the command's job id.

    It becomes a dead letter with an alert; `dlq show ID --bundle` writes what the hub's support needs to deliver it
    again, and `dlq discard ID` closes it once it has come.
    """
    named = account_for(session.accounts, account, "hub")
    at = expected.replace(tzinfo=UTC) if expected else None
    missing = Missing(named.name, what, identifier, who(), at, correlation, note)
    done = report(session.partition, session.redactor, named, missing)
    if as_json:
        emit({"job": done.job_id, "status": done.status})
        return
    line(f"{what} {identifier} {WORDS[done.status]} {done.job_id}")
    say(f"mend the receiver first; `dlq show {done.job_id} --bundle` writes what support needs.")
