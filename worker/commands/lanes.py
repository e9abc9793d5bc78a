"""Commands: `lanes`: what waits where, stopping it on purpose, and forgetting what was learned of limits.

Promise: looking never costs more than the number of lanes. Scope: words and tables; `worker.limiter` does the rest.
"""

from __future__ import annotations

import click

from settings.limiter import LimiterSection
from worker.accept.operation import account_for
from worker.commands.output import ago, emit, line, say, span, table, times, utc
from worker.commands.session import Session, with_session
from worker.commands.tree import Tree
from worker.commands.values import json_option, lane_options, who
from worker.limiter.holds import Hold, scope_of
from worker.limiter.lanes import Lane
from worker.limiter.quota import RAISE, Quota, quotas
from worker.limiter.relearning import relearn
from worker.store.connection import shown


@click.group("lanes", cls=Tree)
def lanes() -> None:
    """Look at the lanes, in which jobs wait, and act on them."""


@lanes.command("list", short_help="List every lane: who waits, what is held, budgets.")
@lane_options
@click.option("--busy", is_flag=True, help="Only lanes in which something waits, runs or is held.")
@json_option
@with_session
def list_command(session: Session, account: str | None, operation: str | None, busy: bool, as_json: bool) -> None:
    """List every lane: who waits by priority, what is in flight, holds, budgets, the next permit."""
    session.check_words(account=account, operation=operation)
    found = [lane for lane in session.lanes.all(account, operation) if lane.busy or not busy]
    holds = session.holds.all()
    figures = quotas(session.partition)
    if as_json:
        for lane in found:
            facts = lane.as_dict()
            held = times(facts["hold"]) if facts["hold"] else None
            emit(facts | {"hold": held, "quota": _quota(figures.get(lane.account), session.settings.limiter)})
        return
    table(
        (
            "account",
            "operation",
            "urgent",
            "normal",
            "bulk",
            "later",
            "in flight",
            "oldest",
            "hold",
            "budget",
            "next permit",
        ),
        (_row(lane) for lane in found),
        empty=f"no lane has ever held a job in the store at {shown(session.address)}",
    )
    for hold in holds.values():
        if account is None or f":{account}" in hold.scope:
            say(_words(hold))
    for quota in figures.values():
        reasons = quota.reasons(session.settings.limiter)
        if reasons and account in (None, quota.account):
            say(f"{quota.account}: {' and '.join(reasons)} ({quota.words()}); {RAISE[quota.account.partition(':')[0]]}")


def _quota(quota: Quota | None, limiter: LimiterSection) -> dict[str, object] | None:
    """The account's figure, as the advice about it and `doctor` say it."""
    return None if quota is None else quota.as_dict() | {"share": quota.share, "advice": quota.reasons(limiter)}


def _row(lane: Lane) -> tuple[object, ...]:
    return (
        lane.account,
        lane.operation,
        *(lane.waiting[name] for name in ("urgent", "normal", "bulk")),
        sum(lane.due.values()),
        f"{lane.in_flight}{' (at its cap)' if lane.capped else ''}",
        None if lane.oldest_s is None else span(lane.oldest_s),
        f"{lane.hold.cause} by {lane.hold.by}" if lane.hold else None,
        f"{lane.budget}: {lane.state.words()}",
        "after release" if lane.hold else lane.state.next_words(),
    )


def _words(hold: Hold) -> str:
    said = f"{hold.words()}, since {utc(hold.since_us)} ({ago(hold.since_us)})"
    if hold.probing:
        return f"{said}; one job tries now"
    return f"{said}; one job tries {ago(hold.probe_us)}" if hold.probe_us else said


SCOPE = """\b
SCOPE is an account            hub:IN-ABC
a lane: account and operation  hub:IN-ABC hub.start_session
or a budget of an account      hub:IN-ABC commands"""


@lanes.command("hold", short_help="Stop an account, a lane or a budget.", epilog=SCOPE)
@click.argument("scope", nargs=-1, required=True)
@click.option("--reason", default="", help="Why; shown wherever the hold is shown.")
@json_option
@with_session
def hold_command(session: Session, scope: tuple[str, ...], reason: str, as_json: bool) -> None:
    """Stop an account, a lane or a budget, for all workers at once. Waiting jobs keep their places."""
    session.load_catalogue()
    chosen = _scope(session, scope)
    session.holds.hold(chosen, who(), reason)
    if as_json:
        emit({"scope": chosen, "held": True})
    else:
        line(f"{chosen} is held")


@lanes.command("release", epilog=SCOPE)
@click.argument("scope", nargs=-1, required=True)
@click.option("--reason", default="", help="Why; kept in the audit.")
@json_option
@with_session
def release_command(session: Session, scope: tuple[str, ...], reason: str, as_json: bool) -> None:
    """End a hold."""
    session.load_catalogue()
    chosen = scope[0] if len(scope) == 1 and scope[0] in session.holds.all() else _scope(session, scope)
    rest = session.holds.release(chosen, who(), reason)
    if as_json:
        emit({"scope": chosen, "held": rest is not None, "probing": rest is not None})
    elif rest is not None:
        line(f"{chosen} will be tried by one job; the hold ends when the credential is not refused again")
    else:
        line(f"{chosen} is released")


@lanes.command("relearn", short_help="Forget what answers taught about an account's limits.")
@click.argument("account")
@click.option("--reason", default="", help="Why; shown with the hold and kept in the audit.")
@json_option
@with_session
def relearn_command(session: Session, account: str, reason: str, as_json: bool) -> None:
    """Forget what answers have taught about the limits of an account, after one of them was wrong.

    The configured limits are in force again, and closed windows open. One call of each budget goes first, alone; what
    it is told holds before the second. What we have used ourselves is not forgotten.
    """
    name = account_for(session.accounts, account).name
    forgotten = relearn(session.partition, name, who(), reason)
    if as_json:
        emit({"account": name, "forgotten": [one.as_dict() for one in forgotten]})
        return
    for one in forgotten:
        line(f"{name} {one.words()}: forgotten")
    say("one call goes first; what its answer tells is in force before the second.")


def _scope(session: Session, words: tuple[str, ...]) -> str:
    if len(words) > 2:
        raise click.UsageError(
            f"expected an account, and an operation or a budget of it at most, got {len(words)} words"
        )
    return scope_of(words, session.accounts)
