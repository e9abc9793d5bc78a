"""Commands: asking for calls.

Promise: the first and the last call of a series are checked before anything is stored; memory does not grow with
`--count`; what was accepted is printed even when the rest was not. Scope: one operation per run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import click

from worker.accept.enqueue import Accepted, Wanted
from worker.accept.envelope import PRIORITIES
from worker.commands.output import Exit, emit, line, many, say
from worker.commands.session import Session, with_session
from worker.commands.values import JSON_TEXT, LENGTH, NUMBER, json_option, read_json
from worker.commands.watching import Watch
from worker.errors import PacelineError
from worker.store.partition import chunks


@click.command("enqueue")
@click.argument("operation")
@click.option("--account", required=True, metavar="A", help="The account that calls, such as hub:IN-ABC.")
@click.option(
    "--params", type=JSON_TEXT, default="{}", metavar="JSON", help="Path and query parameters; @FILE reads them."
)
@click.option("--body", type=JSON_TEXT, metavar="JSON", help="The body, for operations that have one; @FILE reads it.")
@click.option("--priority", type=click.Choice(list(PRIORITIES)), help="Instead of the operation's own.")
@click.option("--key", metavar="K", help="Idempotency key: the same key and content is the same job.")
@click.option(
    "--deadline", type=LENGTH, metavar="30s", help="Not sent after this time; instead of the operation's own."
)
@click.option("--callback", metavar="URL", help="Where the end is told, at a host that settings allow.")
@click.option("--count", type=click.IntRange(1), default=1, metavar="N", help="N calls; {n} becomes 1 … N.")
@click.option("--wait", is_flag=True, help="Wait until all have ended; the exit code says how.")
@click.option("--timeout", type=LENGTH, metavar="60s", help="With --wait: how long at most.")
@json_option
@with_session
def enqueue_command(
    session: Session,
    operation: str,
    account: str,
    params: str,
    body: str | None,
    priority: str | None,
    key: str | None,
    deadline: float | None,
    callback: str | None,
    count: int,
    wait: bool,
    timeout: float | None,
    as_json: bool,
) -> int:
    """Ask for one call of OPERATION, or for N. Prints the job of each.

    In --params, --body and --key, {n} is replaced by the running number.
    """
    if timeout is not None and not wait:
        raise click.UsageError("--timeout: expected --wait beside it, got none; add it")
    session.load_catalogue()
    wanted = _series(operation, account, params, body, priority, key, deadline, callback)
    if key is not None and count > 1 and NUMBER not in key:
        raise click.UsageError("--key: expected {n} in the key of several calls, got the same key for all; add it")
    for number in {1, count}:
        session.enqueuer.prepare(wanted(number))
    accepted: list[str] = []
    stored = 0
    try:
        for job in _stored(session, wanted, count):
            stored += 1
            if wait:
                accepted.append(job.job_id)
            elif as_json:
                emit({"job": job.job_id, "duplicate": job.duplicate})
            else:
                line(job.job_id)
    except PacelineError as error:
        if not stored:
            raise
        say(f"{error} Accepted were the first {stored} of {many(count, 'call')}.")
        return Exit.PARTLY
    return Watch(session, as_json).until_ended(accepted, timeout) if wait else Exit.DONE


def _series(
    operation: str,
    account: str,
    params: str,
    body: str | None,
    priority: str | None,
    key: str | None,
    deadline: float | None,
    callback: str | None,
) -> Callable[[int], Wanted]:
    def wanted(number: int) -> Wanted:
        return Wanted(
            operation=operation,
            account=account,
            params=read_json("--params", params, number),
            body=None if body is None else read_json("--body", body, number),
            priority=priority,
            key=None if key is None else key.replace(NUMBER, str(number)),
            deadline_s=deadline,
            callback_url=callback,
        )

    return wanted


def _stored(session: Session, wanted: Callable[[int], Wanted], count: int) -> Iterator[Accepted]:
    for some in chunks(range(1, count + 1)):
        yield from session.enqueuer.enqueue_many(wanted(number) for number in some)
