"""Commands: `tokens`: the hub tokens of each party, and their rotation, one step at a time.

Promise: a token is never printed, only its version mark. Scope: words and exit codes; `worker.rotation` knows the
order.
"""

from __future__ import annotations

import click

from worker.commands.output import Exit, emit, line, table
from worker.commands.session import Session, with_session
from worker.commands.tree import Tree
from worker.commands.values import json_option
from worker.rotation import Rotation


@click.group("tokens", cls=Tree)
def tokens() -> None:
    """Look at hub tokens; rotate them without an interruption."""


@tokens.command("status", short_help="List the tokens of each party by their version marks.")
@click.argument("account", required=False)
@json_option
@with_session
def status_command(session: Session, account: str | None, as_json: bool) -> None:
    """List the tokens in use and next, where each is set, and whether the account is held. Makes no call."""
    rotation = Rotation(session.settings, session.credentials, session.partition)
    names = [account] if account else [party.account for party in session.settings.hub.parties]
    rows = [rotation.tokens(name) for name in names]
    if as_json:
        for row in rows:
            emit(row.as_dict())
        return
    columns = ("account", "stage", "in use", "next", "set in", "next set in", "held")
    table(
        columns,
        (
            (row.account, row.stage, row.version, row.next_version, row.where, row.next_where, row.held or None)
            for row in rows
        ),
        empty="no party of the hub is configured (PACELINE_HUB__PARTIES)",
    )


@tokens.command("rotate", short_help="Verify what is set, and say the next step of a rotation.")
@click.argument("account")
@json_option
@with_session
def rotate_command(session: Session, account: str, as_json: bool) -> int:
    """Verify the tokens of ACCOUNT with a call each, and say the next step of a rotation. Run it after every step.

    The calls draw on the budget `control`. Exit code 0: all that was asked is accepted. 1: something is not.
    """
    rotation = Rotation(session.settings, session.credentials, session.partition)
    failed = False
    for step in rotation.steps(account):
        failed = failed or step.level == "fail"
        if as_json:
            emit({"level": step.level, "said": step.said})
        else:
            line(f"{step.level:4}  {step.said}")
    return Exit.FAILED if failed else Exit.DONE
