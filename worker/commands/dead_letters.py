"""Commands: `dlq`: what died, why, and what can be done about it.

Promise: everything shown is masked; a letter comes with what is known of its call and what can safely be done. Scope:
looking, in words; `worker.fail` knows, and `letter_actions.py` changes.
"""

from __future__ import annotations

from typing import Any

import click

from worker.accept.moments import check_range, moment_us
from worker.commands.answers import asked, died_of, efforts, identity
from worker.commands.bundling import write_bundle
from worker.commands.letter_options import filter_options, wanted_from
from worker.commands.output import ago, emit, facts, line, table, times, when
from worker.commands.session import Session, with_session
from worker.commands.timeline import timeline
from worker.commands.tree import Tree
from worker.commands.values import MOMENT, json_option
from worker.fail.dead_letter import advise, letter, require_letter
from worker.fail.notes import Notes
from worker.fail.problem import Problem


@click.group("dlq", cls=Tree)
def dlq() -> None:
    """Look at dead letters, send them again, set them aside."""


@dlq.command("problems", short_help="List dead letters by cause: a line per problem.")
@click.option("--operation", metavar="O", help="Only problems of this operation.")
@click.option("--class", "error_class", metavar="C", help="Only problems of this class.")
@click.option("--since", type=MOMENT, metavar="2h", help="Only problems seen since this time, or within this length.")
@click.option("--resolved", is_flag=True, help="Also problems without a letter left.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, metavar="N")
@json_option
@with_session
def problems_command(
    session: Session, operation: str | None, error_class: str | None, since: str | None, resolved: bool, limit: int,
    as_json: bool,
) -> None:  # fmt: skip
    """List dead letters by cause: one line per problem, last seen first."""
    session.load_catalogue()
    since_us = None if since is None else moment_us("--since", since, session.partition.now_us())
    check_range("--since", since_us, "--until", None, session.partition.now_us())
    session.check_words(operation=operation, error_class=error_class)
    found = session.problems.find(
        operation=operation, error_class=error_class, since_us=since_us, resolved=resolved, limit=limit
    )
    if as_json:
        for problem in found:
            emit(times(problem.as_dict()))
        return
    table(
        (
            "problem", "operation", "class", "code", "state", "open", "ever", "last seen", "first seen", "meaning",
            "to do",
        ),
        (
            (
                one.fingerprint, one.operation, one.error_class, one.code, _state(one), one.open, one.ever,
                ago(one.last_us), ago(one.first_us), one.explanation, one.advice,
            )
            for one in found
        ),
        empty="no problem is open",
    )  # fmt: skip


def _state(problem: Problem) -> str:
    """How it stands, and by whose word."""
    said = problem.said
    return f"{problem.state} by {said.by}" if said.by and problem.state == said.mark else problem.state


@dlq.command("list")
@filter_options("expired", "discarded")
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
        ("job", "operation", "class", "code", "died", "account", "sent", "redriven", "because"),
        (
            (
                job.id, job.operation, job.error_class or job.state, job.code, ago(job.ended_us), job.account,
                job.sent, job.redrives or None, job.why[:80],
            )
            for job in found
        ),
        empty="no letter fits" + ("" if options["discarded"] or options["expired"] else _beside(session)),
    )  # fmt: skip


def _beside(session: Session) -> str:
    """What lies in the other piles, for somebody who finds this one empty."""
    discarded, expired = session.letters.count("discarded"), session.letters.count("expired")
    piles = [f"{count} {name} (--{name})" for name, count in (("discarded", discarded), ("expired", expired)) if count]
    return f"; beside them lie {' and '.join(piles)}" if piles else ""


@dlq.command("show", short_help="Show a letter: what is known, what can safely be done.")
@click.argument("job_id", metavar="ID")
@click.option("--bundle", is_flag=True, help="Write a file for the vendor's support instead; ID may be a problem's.")
@click.option("--output", type=click.Path(dir_okay=False, allow_dash=True), help="Where to write it (-: print it).")
@json_option
@with_session
def show_command(session: Session, job_id: str, bundle: bool, output: str | None, as_json: bool) -> None:
    """Show a letter: what is known, what not, what can safely be done."""
    session.load_catalogue()
    if bundle or output:
        write_bundle(session, job_id, output, as_json)
        return
    job = require_letter(session.jobs.read(job_id))
    notes = Notes(session.partition, session.settings.fail.dead_ttl_s).of(job.id)
    if as_json:
        emit(times(letter(session.jobs, job)) | {"notes": [times(note.as_dict()) for note in notes]})
        return
    evidence = session.jobs.evidence(job)
    advice = advise(job, evidence)
    expired = job.state == "expired"
    sums = {"runs": job.runs, "attempts": job.attempts, "crashes": job.crashes, "redrives": job.redrives}
    shown = (
        ("letter", job.id + (" (discarded)" if job.discarded else "")),
        *identity(job),
        ("died of", None if expired else died_of(job)),
        ("because", job.why),
        ("asked for", when(job.created_us)),
        ("deadline", when(job.deadline_us) if expired else None),
        ("expired" if expired else "died", when(job.ended_us)),
        *(() if expired else efforts(session, job.api, sums)),
        ("problem", job.problem),
        *asked(session, job),
        ("known", advice.known),
        ("meaning", advice.explanation),
        ("remedy", advice.remedy),
        ("safe to do", advice.safe),
        *((f"noted by {note.by}", note.text) for note in notes),
    )
    for text in (*facts(shown), *timeline(evidence, wire=True)):
        line(text)


@dlq.command("export", short_help="Write letters as JSON lines, with evidence and advice.")
@filter_options("expired", "discarded")
@with_session
def export_command(session: Session, /, limit: int | None, **options: Any) -> None:
    """Write letters as JSON lines, first died first, with evidence and advice; masked like everything else."""
    session.load_catalogue()
    for job in session.letters.find(wanted_from(session, options), newest_first=False, limit=limit):
        emit(times(letter(session.jobs, job)))
