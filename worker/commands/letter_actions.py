"""Commands: `dlq redrive|discard|restore`: what people do about dead letters.

Promise: filters mean everything that fits, not what was shown; more than one letter is changed only after `--yes`, and
`--dry-run` tells before what would be left alone and why; every change names the person in the audit. Scope: words and
exit codes; `worker.fail.redrive` acts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import click

from worker.accept.envelope import PRIORITIES
from worker.accept.jobs import Job
from worker.commands.letter_options import ALL, filter_options, wanted_from
from worker.commands.output import Exit, emit, line, many, say
from worker.commands.session import Session, with_session
from worker.commands.values import json_option, who
from worker.errors import Conflict, NotFound
from worker.fail.dead_letter import Filter, require_letter
from worker.fail.redrive import Order, Redrive, Report, Verb

COUNTED = 10_000
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
@click.option("--again", is_flag=True, help="Also letters that were sent again three times and died each time.")
@click.option(
    "--priority", type=click.Choice(list(PRIORITIES)), help="Wait with this priority; bulk lets live work go first."
)
@with_session
def _redrive(
    session: Session, /, even_if_unknown: bool, again: bool, priority: str | None, reason: str, **rest: Any
) -> int:
    if even_if_unknown and not reason:
        raise click.UsageError(
            "--even-if-unknown: expected --reason to say how it is known that nothing was done, got none; add it"
        )
    return _act(session, Order("redrive", who(), reason, even_if_unknown, again, priority), **rest)


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


def _act(
    session: Session, order: Order, ids: tuple[str, ...], yes: bool, dry_run: bool, limit: int | None, as_json: bool,
    everything: bool, **options: Any,
) -> int:  # fmt: skip
    session.load_catalogue()
    wanted = wanted_from(session, options)
    if ids:
        if wanted.narrow or everything:
            raise click.UsageError("expected ids or a filter, got both; leave one out")
        return _act_on_ids(session, order, ids, yes, dry_run, as_json)
    if not (wanted.narrow or everything or wanted.which == "expired"):
        raise click.UsageError(
            "expected ids or a filter (--account, --operation, --class, --problem, --since), got none; --all means all"
        )
    if dry_run or not yes:
        return _plan(session, order, wanted, limit, dry_run, as_json)
    letters = session.letters.find(wanted, newest_first=False, limit=limit)
    return _carry_out(session, order, letters, as_json, wanted)


def _plan(
    session: Session, order: Order, wanted: Filter, limit: int | None, dry_run: bool, as_json: bool
) -> int:
    """What would be done. Without `--dry-run` this refuses, and asks for `--yes`, unless there is nothing to do."""
    redrive = Redrive(session.partition)
    found = list(islice(session.letters.find(wanted, limit=limit), COUNTED))
    against = Counter(refusal for job in found if (refusal := redrive.objection(order, job)))
    more = " or more" if len(found) == COUNTED else ""
    if as_json:
        emit({"action": order.verb, "letters": len(found), "complete": not more, "left_alone": sum(against.values())})
    else:
        line(f"{len(found)}{more} {'letter fits' if len(found) == 1 else 'letters fit'}.")
        for refusal, count in against.items():
            line(f"{count} of them would be left alone: {refusal}.")
    if dry_run or not found:
        return Exit.DONE
    say(f"nothing was done; add --yes to {order.verb} {'it' if len(found) == 1 else 'them'}.")
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


def _carry_out(session: Session, order: Order, letters: Iterator[Job], as_json: bool, wanted: Filter) -> int:
    report = Redrive(session.partition).carry_out(order, letters, wanted.as_dict(), _told(order, as_json))
    if not report.done and not report.left_count:
        say("no letter fits; nothing was done.")
    return _conclude(report)


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
