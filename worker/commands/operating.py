"""Commands: `ops`: operations on many letters: which there are, how one goes, stopping it.

Promise: what is shown is the store's own record, so it is the same from every terminal; a wait carries the operation
itself as long as no worker process does, and leaves it running when it is interrupted. Scope: words and exit codes;
`worker.fail.bulk` orders, `dlq redrive|discard|restore` makes them.
"""

from __future__ import annotations

import os
import socket
import time

import click

from worker.commands.bulk_words import progress_words, record_of, report_lines, row_of
from worker.commands.output import Exit, emit, line, say, table
from worker.commands.session import Session, with_session
from worker.commands.tree import Tree
from worker.commands.values import json_option, who
from worker.fail.bulk import BulkAction

LOOK_S = 0.5
TELL_S = 5.0


@click.group("ops", cls=Tree, short_help="Look at operations on many letters; cancel them.")
def ops() -> None:
    """Look at operations on many letters, made by `dlq redrive|discard|restore` with a filter; cancel them."""


@ops.command("list", short_help="List operations, last planned first.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, metavar="N")
@json_option
@with_session
def list_command(session: Session, limit: int, as_json: bool) -> None:
    """List operations, last planned first."""
    found = session.bulk.find(limit)
    if as_json:
        now_us = session.partition.now_us()
        for action in found:
            emit(record_of(action, None, now_us))
        return
    columns = ("operation", "does", "state", "progress", "letters", "planned", "by", "because")
    table(columns, (row_of(action) for action in found), empty="no operation is kept")


@ops.command("show", short_help="Show one: plan, progress, report.")
@click.argument("bulk_id", metavar="ID")
@click.option("--wait", is_flag=True, help="Wait until every letter has been dealt with.")
@json_option
@with_session
def show_command(session: Session, bulk_id: str, wait: bool, as_json: bool) -> int:
    """Show one: its plan, how far it is, what was left alone and why, what failed again, what is new since."""
    session.bulk.read(bulk_id)
    action = carried(session, bulk_id) if wait else session.bulk.read(bulk_id)
    tell(session, action, as_json)
    return outcome(action) if wait else Exit.DONE


@ops.command("cancel", short_help="Stop one where it is.")
@click.argument("bulk_id", metavar="ID")
@click.option("--reason", default="", help="Why; kept with it and in the audit.")
@json_option
@with_session
def cancel_command(session: Session, bulk_id: str, reason: str, as_json: bool) -> None:
    """Stop one where it is. What was done stays done; what was not lies where it lay."""
    action = session.bulk.cancel(bulk_id, who(), reason)
    if as_json:
        emit(record_of(action, None, session.partition.now_us()))
    else:
        line(f"{action.id} is cancelled: {progress_words(action)}; {action.remaining} were not touched")


def tell(session: Session, action: BulkAction, as_json: bool) -> None:
    """All about one."""
    now_us, fresh = session.partition.now_us(), session.bulk.fresh(action)
    if as_json:
        emit(record_of(action, fresh, now_us))
        return
    for text in report_lines(action, fresh, now_us):
        line(text)


def carried(session: Session, bulk_id: str) -> BulkAction:
    """Waits until it has ended, and carries it on whenever no worker process does."""
    me = f"terminal.{socket.gethostname()[:40]}.{os.getpid()}"
    told_s = time.monotonic()
    while not (action := session.bulk.read(bulk_id)).ended:
        again_s = session.bulk.step(me)
        if time.monotonic() - told_s > TELL_S:
            told_s = time.monotonic()
            rests = action.rests(session.partition.now_us())
            say(progress_words(action) + (f"; it rests: {rests}" if rests else ""))
        time.sleep(min(LOOK_S, LOOK_S if again_s is None else max(again_s, 0.005)))
    return action


def outcome(action: BulkAction) -> Exit:
    """The exit code for whoever waited."""
    if action.state == "done" and not action.left_alone and not action.ends["dead"]:
        return Exit.DONE
    return Exit.PARTLY if action.done else Exit.FAILED
