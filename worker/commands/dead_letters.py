"""Commands: `dlq`: what died, why, and what to do about it.

Promise: filters mean everything that fits, not what was shown; more than one letter is changed only after `--yes`;
every change names the person in the audit. Scope: words; `worker.fail` decides and acts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import click

from worker.accept.envelope import PRIORITIES
from worker.accept.jobs import Job
from worker.commands.answers import timeline
from worker.commands.letter_options import filter_options, wanted_from
from worker.commands.output import Exit, ago, emit, facts, line, say, table, times, when
from worker.commands.session import Session, with_session
from worker.commands.values import LENGTH, json_option, who
from worker.errors import Conflict, NotFound
from worker.fail.dead_letter import Filter, advise, letter, require_letter
from worker.fail.redrive import Order, Redrive, Report, Verb

COUNTED = 10_000
DONE_WORDS: dict[Verb, str] = {"redrive": "waits again", "discard": "discarded", "restore": "restored"}


@click.group("dlq")
def dlq() -> None:
    """Look at dead letters, send them again, set them aside."""


@dlq.command("problems")
@click.option("--operation", metavar="O", help="Only problems of this operation.")
@click.option("--class", "error_class", metavar="C", help="Only problems of this class.")
@click.option("--since", type=LENGTH, metavar="2h", help="Only problems seen within this time.")
@click.option("--resolved", is_flag=True, help="Also problems without a letter left.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, metavar="N")
@json_option
@with_session
def problems_command(
    session: Session, operation: str | None, error_class: str | None, since: float | None, resolved: bool, limit: int,
    as_json: bool,
) -> None:  # fmt: skip
    """List dead letters by cause: one line per problem, last seen first."""
    since_us = None if since is None else session.partition.now_us() - int(since * 1e6)
    found = session.problems.find(
        operation=operation, error_class=error_class, since_us=since_us, resolved=resolved, limit=limit
    )
    if as_json:
        for problem in found:
            emit(times(problem.as_dict()))
        return
    table(
        ("problem", "operation", "class", "code", "open", "ever", "last seen", "first seen", "meaning"),
        (
            (
                one.fingerprint, one.operation, one.error_class, one.code, one.open, one.ever, ago(one.last_us),
                ago(one.first_us), one.explanation,
            )
            for one in found
        ),
        empty="no problem is open",
    )  # fmt: skip


@dlq.command("list")
@filter_options
@json_option
@with_session
def list_command(session: Session, /, as_json: bool, limit: int | None, **options: Any) -> None:
    """List letters, last died first."""
    wanted = wanted_from(session, options)
    found = session.letters.find(wanted, limit=limit or 50)
    if as_json:
        for job in found:
            emit(times(job.as_dict()))
        return
    table(
        ("job", "operation", "account", "class", "code", "died", "attempts", "sent again", "because"),
        (
            (
                job.id, job.operation, job.account, job.error_class or job.state, job.code, ago(job.ended_us),
                job.attempts, job.redrives or None, job.why[:80],
            )
            for job in found
        ),
        empty="no letter fits; discarded and expired ones are listed with --discarded and --expired",
    )  # fmt: skip


@dlq.command("show")
@click.argument("job_id", metavar="ID")
@json_option
@with_session
def show_command(session: Session, job_id: str, as_json: bool) -> None:
    """Show a letter: what is known, what not, what can safely be done."""
    session.load_catalogue()
    job = require_letter(session.jobs.read(job_id))
    if as_json:
        emit(times(letter(session.jobs, job)))
        return
    evidence = session.jobs.evidence(job)
    advice = advise(job, evidence)
    asked = session.jobs.params(job)
    shown = (
        ("letter", job.id + (" (discarded)" if job.discarded else "")),
        ("operation", f"{job.operation} ({'repeatable' if job.repeatable else 'must not be repeated'})"),
        ("account", job.account),
        ("died of", f"{job.error_class or job.state} {job.code}".strip()),
        ("because", job.why),
        ("died", when(job.ended_us)),
        ("asked for", when(job.created_us)),
        ("attempts", f"{job.attempts} counted, {job.runs} sent"),
        ("sent again", f"{job.redrives} times" if job.redrives else None),
        ("problem", job.problem),
        ("parameters", asked.get("params")),
        ("body", asked.get("body")),
        ("known", advice.known),
        ("meaning", advice.explanation),
        ("remedy", advice.remedy),
        ("safe to do", advice.safe),
    )
    for text in (*facts(shown), *timeline(iter(evidence))):
        line(text)


@dlq.command("export")
@filter_options
@with_session
def export_command(session: Session, /, limit: int | None, **options: Any) -> None:
    """Write letters as JSON lines, first died first, with evidence and advice; masked like everything else."""
    session.load_catalogue()
    for job in session.letters.find(wanted_from(session, options), newest_first=False, limit=limit):
        emit(times(letter(session.jobs, job)))


def _acting(name: Verb, doc: str) -> Callable[[Callable[..., Any]], click.Command]:
    """The options that every action on letters has."""

    def build(function: Callable[..., Any]) -> click.Command:
        function.__doc__ = doc
        for option in (
            json_option,
            click.option("--dry-run", is_flag=True, help="Say how many letters it would be."),
            click.option("--yes", is_flag=True, help="Yes, more than one letter."),
            click.option("--reason", default="", help="Why; kept with the letter and in the audit."),
            filter_options,
            click.argument("ids", metavar="[ID...]", nargs=-1),
        ):
            function = option(function)
        return dlq.command(name)(function)

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
            "--even-if-unknown: expected --reason to say how it is known that nothing was done; add it"
        )
    return _act(session, Order("redrive", who(), reason, even_if_unknown, again, priority), **rest)


@with_session
def _discard(session: Session, /, reason: str, **rest: Any) -> int:
    return _act(session, Order("discard", who(), reason), **rest)


@with_session
def _restore(session: Session, /, reason: str, **rest: Any) -> int:
    return _act(session, Order("restore", who(), reason), **rest | {"discarded": True})


_acting("redrive", "Send letters again: they wait at the end of their lane, with a new deadline.")(_redrive)
_acting("discard", "Set letters aside as not to be sent. Nothing is deleted; `restore` takes it back.")(_discard)
_acting("restore", "Take back a discard.")(_restore)


def _act(
    session: Session, order: Order, ids: tuple[str, ...], yes: bool, dry_run: bool, limit: int | None, as_json: bool,
    **options: Any,
) -> int:  # fmt: skip
    session.load_catalogue()
    wanted = wanted_from(session, options)
    if ids:
        return _act_on_ids(session, order, ids, yes, dry_run, as_json)
    if not wanted.narrow and not options["everything"]:
        raise click.UsageError(
            "expected ids or a filter (--account, --operation, --class, --problem, --since), got none; --all means all"
        )
    if dry_run or not yes:
        count = sum(1 for _ in session.letters.find(wanted, limit=limit or COUNTED))
        more = " or more" if count == (limit or COUNTED) and not limit else ""
        say(f"{count}{more} letters fit." + ("" if dry_run else f" Say --yes to {order.verb} them."))
        return Exit.DONE if dry_run else Exit.USAGE
    letters = session.letters.find(wanted, newest_first=False, limit=limit)
    return _carry_out(session, order, letters, as_json, wanted)


def _act_on_ids(session: Session, order: Order, ids: tuple[str, ...], yes: bool, dry_run: bool, as_json: bool) -> int:
    if len(ids) > 1 and not yes and not dry_run:
        raise click.UsageError(f"expected --yes to {order.verb} {len(ids)} letters at once, got none; add it")
    missing: list[str] = []

    def letters() -> Iterator[Job]:
        for one in dict.fromkeys(ids):
            try:
                yield require_letter(session.jobs.read(one))
            except (NotFound, Conflict) as error:
                say(str(error))
                missing.append(one if isinstance(error, NotFound) else "")

    if dry_run:
        say(f"{sum(1 for _ in letters())} letters fit.")
        return Exit.DONE
    code = _carry_out(session, order, letters(), as_json, None)
    if missing and code == Exit.DONE and len(missing) < len(set(ids)):
        return Exit.PARTLY
    if missing and code in (Exit.DONE, Exit.NOT_FOUND):
        return Exit.NOT_FOUND if all(missing) else Exit.FAILED
    return code


def _carry_out(session: Session, order: Order, letters: Iterator[Job], as_json: bool, wanted: Filter | None) -> int:
    def told(job: Job, refusal: str | None) -> None:
        if as_json:
            emit({"job": job.id, "done": refusal is None, "why": refusal})
        elif refusal is None:
            line(f"{job.id} {DONE_WORDS[order.verb]}")

    report = Redrive(session.partition).carry_out(order, letters, wanted.as_dict() if wanted else None, told)
    return _conclude(report)


def _conclude(report: Report) -> int:
    for job_id, refusal in report.left:
        say(f"{job_id} was left alone: {refusal}.")
    if report.left_count > len(report.left):
        say(f"{report.left_count - len(report.left)} more were left alone.")
    if not report.left_count:
        return Exit.DONE if report.done else Exit.NOT_FOUND
    return Exit.PARTLY if report.done else Exit.FAILED
