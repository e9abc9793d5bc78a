"""Commands: `jobs`: look at calls, wait for them, cancel them.

Promise: the id of any page stands for the whole list. Scope: one call at a time; dead ones are acted on by `dlq`.
"""

from __future__ import annotations

from collections.abc import Sequence

import click

from worker.accept.envelope import PRIORITIES
from worker.accept.intake.callers import KeyRing
from worker.accept.job_search import LISTED, LIVE, Sought, owners_of
from worker.commands.answers import details, died_of, report
from worker.commands.output import Exit, ago, emit, line, say, table, times
from worker.commands.session import Session, with_session
from worker.commands.tree import Tree
from worker.commands.values import LENGTH, json_option, lane_options, who
from worker.commands.watching import Watch
from worker.errors import NotFound


@click.group("jobs", cls=Tree)
def jobs() -> None:
    """Look at calls, wait for them, cancel them."""


@jobs.command("show", short_help="Show a call: where it stands, what happened to it.")
@click.argument("job_id", metavar="ID")
@json_option
@with_session
def show_command(session: Session, job_id: str, as_json: bool) -> None:
    """Show a call: where it stands, what it waits for, every attempt. Personal values are masked."""
    session.load_catalogue()
    chain = session.jobs.chain(job_id)
    if as_json:
        emit(details(session, chain))
        return
    for text in report(session, chain):
        line(text)


@jobs.command("wait", short_help="Wait until calls have ended; get their results.")
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@click.option("--timeout", type=LENGTH, metavar="60s", help="How long at most.")
@json_option
@with_session
def wait_command(session: Session, ids: tuple[str, ...], timeout: float | None, as_json: bool) -> int:
    """Wait until calls have ended. With --json their results are given as they came, the pages of a list merged.

    Exit code 0: done. 1: dead, cancelled, expired, or nothing done in time. 5: a part is done.
    """
    return Watch(session, as_json).until_ended(ids, timeout)


@jobs.command("cancel")
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@click.option("--reason", default="", help="Why; kept with the job.")
@json_option
@with_session
def cancel_command(session: Session, ids: tuple[str, ...], reason: str, as_json: bool) -> int:
    """Cancel calls that wait. What is being sent at this moment cannot be taken back."""
    codes = [_cancel(session, one, reason, as_json) for one in ids]
    if Exit.DONE in codes and len(set(codes)) > 1:
        return Exit.PARTLY
    return max(codes)


def _cancel(session: Session, job_id: str, reason: str, as_json: bool) -> Exit:
    try:
        answers = session.jobs.cancel(job_id, who(), reason)
    except NotFound as error:
        say(str(error))
        return Exit.NOT_FOUND
    states = {answer for _, answer in answers}
    good = states <= {"cancelled", "already"}
    if as_json:
        emit({"id": job_id, "cancelled": good, "state": "cancelled" if good else sorted(states)[-1]})
    elif good:
        line(f"{job_id} cancelled")
    for job, answer in answers:
        if answer == "running":
            say(f"{job.id} is being sent at this moment and cannot be taken back; `jobs wait {job.id}` tells its end.")
        elif answer not in ("cancelled", "already"):
            say(f"{job.id} is {answer} already; there is nothing to cancel.")
    return Exit.DONE if good else Exit.FAILED


@jobs.command("list", short_help="List jobs by state, account, operation, priority; find one by id or key.")
@click.option("--id", "job_id", metavar="ID", help="Only the job of this id.")
@click.option("--key", metavar="K", help="Only what was asked for with this idempotency key.")
@click.option("--state", "states", multiple=True, metavar="S", help=f"One of {', '.join(LISTED)}; may be given again.")
@lane_options
@click.option("--priority", type=click.Choice(list(PRIORITIES)), help="Only of this priority.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, metavar="N")
@json_option
@with_session
def list_command(
    session: Session,
    job_id: str | None,
    key: str | None,
    states: tuple[str, ...],
    account: str | None,
    operation: str | None,
    priority: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List jobs that run or wait (by default), or those in other states.

    `awaiting` are commands that were accepted and whose result is still to come. Of jobs that are done or cancelled the
    last ones are listed, a few seconds after; every other is found by its id or key as long as it is kept.
    """
    session.check_words(account=account, operation=operation)
    wanted = Sought(states, account, operation, priority, job_id, key)
    if job_id is not None or key is not None:
        kept = [one.name for one in KeyRing(session.partition).all()]
        owners = owners_of(session.accounts, [*kept, *(one.name for one in session.settings.intake.keys)])
        found = iter(session.search.named(wanted, owners)[:limit])
    else:
        found = session.search.all(wanted, limit)
    if as_json:
        for job in found:
            emit(times(job.as_dict()))
        return
    table(
        ("job", "state", "operation", "account", "priority", "created", "sent", "last error"),
        (
            (
                job.id, job.state, job.operation, job.account, job.priority, ago(job.created_us), job.sent,
                died_of(job) if job.error_class else None,
            )
            for job in found
        ),
        empty="no job is like that" if job_id or key else f"no job is {_either(states or LIVE)}",
    )  # fmt: skip


def _either(states: Sequence[str]) -> str:
    """As one says it: running, awaiting or waiting."""
    *others, last = states
    return f"{', '.join(others)} or {last}" if others else last
