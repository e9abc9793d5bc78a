"""Commands: `dlq redrive|discard|restore`: what people do about dead letters.

Promise: filters mean everything that fits, not what was shown; more than one letter is changed only after `--yes`, and
`--dry-run` tells before what would be left alone and why; every change names the person in the audit. Letters named by
id are changed at once; a filter makes an operation, which worker processes carry out at its pace. Scope: words and exit
codes; `worker.fail.redrive` and `worker.fail.bulk` act.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import click

from worker.accept.envelope import PRIORITIES
from worker.accept.jobs import Job
from worker.commands.bulk_words import plan_lines, record_of
from worker.commands.letter_options import ALL, ASKED, as_options, filter_options, wanted_from
from worker.commands.operating import carried, outcome, tell
from worker.commands.output import Exit, emit, line, many, say, span
from worker.commands.session import Session, with_session
from worker.commands.values import json_option, who
from worker.errors import Conflict, NotFound
from worker.fail.bulk_plan import FASTEST, SLOWEST, BulkOrder, Plan
from worker.fail.dead_letter import require_letter
from worker.fail.redrive import Order, Redrive, Report, Verb

NAMED = 5
DONE_WORDS: dict[Verb, str] = {"redrive": "waits again", "discard": "discarded", "restore": "restored"}


def _acting(name: Verb, piles: tuple[str, ...], doc: str, short: str) -> Callable[[Callable[..., Any]], click.Command]:
    """The options that every action on letters has."""

    def build(function: Callable[..., Any]) -> click.Command:
        function.__doc__ = doc
        for option in (
            json_option,
            click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing."),
            click.option("--yes", is_flag=True, help="Yes, more than one letter."),
            click.option("--reason", default="", help="Why; kept with the letter and in the audit."),
            click.option("--wait", is_flag=True, help="With a filter: wait until all are dealt with, then report."),
            click.option(
                "--pace", type=click.FloatRange(SLOWEST, FASTEST), metavar="N",
                help="With a filter: so many letters per second; the plan names the usual pace.",
            ),
            ASKED,
            ALL,
            filter_options(*piles),
            click.argument("ids", metavar="[ID...]", nargs=-1),
        ):
            function = option(function)
        return click.command(name, short_help=short)(function)

    return build


@click.option(
    "--even-if-unknown", is_flag=True, help="Also calls that must not be repeated and may have been carried out."
)
@click.option("--keep-priority", is_flag=True, help="With a filter: as urgent as before, not below live work.")
@click.option("--again", is_flag=True, help="Also letters that were sent again three times and died each time.")
@click.option(
    "--priority", type=click.Choice(list(PRIORITIES)), help="With ids: wait with this priority. A filter waits as bulk."
)
@with_session
def _redrive(
    session: Session, /, even_if_unknown: bool, again: bool, keep_priority: bool, priority: str | None, reason: str,
    **rest: Any,
) -> int:  # fmt: skip
    if even_if_unknown and not reason:
        raise click.UsageError(
            "--even-if-unknown: expected --reason to say how it is known that nothing was done, got none; add it"
        )
    order = Order("redrive", who(), reason, even_if_unknown, again, priority)
    if keep_priority and priority:
        raise click.UsageError("expected --keep-priority or --priority, got both; leave one out")
    return _act(session, order, keep_priority=keep_priority, **rest)


@with_session
def _discard(session: Session, /, reason: str, **rest: Any) -> int:
    return _act(session, Order("discard", who(), reason), **rest)


@with_session
def _restore(session: Session, /, reason: str, **rest: Any) -> int:
    return _act(session, Order("restore", who(), reason), **rest | {"discarded": True})


_AGAIN = "Send letters again: the same jobs, at the end of their lane, with a new deadline."
_ASIDE = "Set letters aside as not to be sent. Nothing is deleted; `restore` takes it back."
ACTIONS = (
    _acting("redrive", ("expired",), _AGAIN, "Send letters again.")(_redrive),
    _acting("discard", (), _ASIDE, "Set letters aside as not to be sent.")(_discard),
    _acting("restore", (), "Take back a discard.", "Take back a discard.")(_restore),
)
"""The commands, for the group `dlq`."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How the command was given."""

    yes: bool
    dry_run: bool
    wait: bool
    as_json: bool


def _act(
    session: Session, order: Order, ids: tuple[str, ...], yes: bool, dry_run: bool, wait: bool, limit: int | None,
    pace: float | None, as_json: bool, everything: bool, asked: str | None, keep_priority: bool = False, **options: Any,
) -> int:  # fmt: skip
    session.load_catalogue()
    wanted = wanted_from(session, as_options(asked, options, order.verb))
    if ids:
        if wanted.narrow or everything or asked is not None:
            raise click.UsageError("expected ids or a filter, got both; leave one out")
        if wait or pace or keep_priority:
            raise click.UsageError(
                "expected --wait, --pace or --keep-priority with a filter, got ids, done at once; leave it out"
            )
        return _act_on_ids(session, order, ids, yes, dry_run, as_json)
    if not (wanted.narrow or everything or wanted.which == "expired" or asked is not None):
        raise click.UsageError(
            "expected ids or a filter (--account, --operation, --class, --problem, --since, --until), got none; "
            "--all means all"
        )
    if order.priority not in (None, "bulk"):
        raise click.UsageError("expected --priority with ids, got a filter; --keep-priority leaves it as it was")
    bulk = BulkOrder(
        order.verb, wanted, order.by, order.reason, pace, keep_priority, order.even_if_unknown, order.again, limit
    )
    return _operate(session, bulk, Manner(yes, dry_run, wait, as_json))


def _operate(session: Session, order: BulkOrder, manner: Manner) -> int:
    """Plans; with `--yes` also starts what was planned, and with `--wait` sees to its end."""
    plan = session.bulk.plan(order)
    if not plan.letters and manner.yes and not manner.dry_run:
        say("no letter fits; nothing was done.")
        return Exit.DONE
    if manner.dry_run or not manner.yes:
        return _tell_plan(order, plan, manner)
    action = session.bulk.start(session.bulk.make(order, plan).id, order.by)
    if manner.wait:
        action = carried(session, action.id)
        tell(session, action, manner.as_json)
        return outcome(action)
    if manner.as_json:
        emit(record_of(action, None, session.partition.now_us()))
    else:
        letters = many(plan.to_do, "letter")
        line(f"{action.id} runs: {letters} at {plan.pace:g} per second, {span(plan.least_s)} at least")
        say(f"`ops show {action.id}` tells how it goes, `ops cancel {action.id}` stops it.")
    return Exit.DONE


def _tell_plan(order: BulkOrder, plan: Plan, manner: Manner) -> int:
    """What would be done. Without `--dry-run` this refuses, and asks for `--yes`, unless there is nothing to do."""
    if manner.as_json:
        record = plan.as_dict()
        emit({"action": order.kind, **record, "left_alone": sum(plan.left.values())})
    else:
        for text in plan_lines(plan, sends=order.kind == "redrive"):
            line(text)
    if manner.dry_run or not plan.letters:
        return Exit.DONE
    say(f"nothing was done; add --yes to {order.kind} {'it' if plan.letters == 1 else 'them'}.")
    return Exit.USAGE


def _act_on_ids(session: Session, order: Order, ids: tuple[str, ...], yes: bool, dry_run: bool, as_json: bool) -> int:
    ids = tuple(dict.fromkeys(ids))
    if len(ids) > 1 and not yes and not dry_run:
        raise click.UsageError(f"expected --yes to {order.verb} {len(ids)} letters at once, got none; add it")
    missing: list[Exit] = []

    def letters() -> Iterator[Job]:
        for one in ids:
            try:
                yield require_letter(session.jobs.read(one))
            except (NotFound, Conflict) as error:
                say(str(error))
                missing.append(Exit.NOT_FOUND if isinstance(error, NotFound) else Exit.FAILED)

    redrive = Redrive(session.partition)
    if dry_run:
        report = Report()
        for job in letters():
            report.note(job.id, redrive.objection(order, job))
        line(f"{many(report.done, 'letter')} would be done.")
    else:
        report = redrive.carry_out(order, letters(), None, _told(order, as_json))
    code = _conclude(report)
    if not missing:
        return code
    if report.done:
        return Exit.PARTLY
    return Exit.NOT_FOUND if set(missing) == {Exit.NOT_FOUND} and not report.left_count else Exit.FAILED


def _told(order: Order, as_json: bool) -> Callable[[Job, str | None], None]:
    def told(job: Job, refusal: str | None) -> None:
        if as_json:
            emit({"job": job.id, "done": refusal is None, "why": refusal})
        elif refusal is None:
            line(f"{job.id} {DONE_WORDS[order.verb]}")

    return told


def _conclude(report: Report) -> int:
    for job_id, refusal in report.left[:NAMED]:
        say(f"{job_id} was left alone: {refusal}.")
    if report.left_count > NAMED:
        say(f"{report.left_count - NAMED} more were left alone, {report.left_count} in all.")
    if not report.left_count:
        return Exit.DONE
    return Exit.PARTLY if report.done else Exit.FAILED
