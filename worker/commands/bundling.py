"""Commands: a file for a vendor's support, from a letter or from a whole problem.

Promise: an existing file is not overwritten; what is written was masked when it was recorded. Scope: finding what was
named, and the file; `fail/bundle.py` has the form.
"""

from __future__ import annotations

import re
from pathlib import Path

import click

from worker.commands.output import say
from worker.commands.session import Session
from worker.errors import Conflict, NotFound
from worker.fail.bundle import Case, as_json, as_markdown, case_of, cases_of
from worker.fail.dead_letter import require_letter
from worker.fail.notes import Notes
from worker.fail.problem import Problem

_FINGERPRINT = re.compile(r"[0-9a-f]{16}")


def write_bundle(session: Session, named: str, output: str | None, json_form: bool) -> None:
    """`named` is a job's id or a problem's fingerprint. Raises `NotFound` and `Conflict`."""
    notes = Notes(session.partition, session.settings.fail.dead_ttl_s)
    problem, cases = _cases(session, notes, named)
    text = (as_json if json_form else as_markdown)(cases, problem, notes.of(named) if problem else ())
    if output == "-":
        click.echo(text, nl=False)
        return
    path = Path(output or f"support-{named}.{'json' if json_form else 'md'}")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise Conflict(f"{path} exists already; remove it, or name another with --output.") from None
    say(f"{len(cases)} {'call' if len(cases) == 1 else 'calls'} written to {path}; read it before you send it.")


def _cases(session: Session, notes: Notes, named: str) -> tuple[Problem | None, list[Case]]:
    if not _FINGERPRINT.fullmatch(named):
        return None, [case_of(session.jobs, notes, require_letter(session.jobs.read(named)))]
    problem = session.problems.read(named)
    cases = cases_of(session.jobs, session.letters, notes, problem)
    if not cases:
        raise NotFound(f"problem {named} has no letters any more: they were sent again, discarded or are too old.")
    return problem, cases
