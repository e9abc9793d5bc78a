"""Console: writing a note about a letter, a job or a problem.

Promise: a note is text and stays text, without any secret this process knows of. Scope: the form; `fail/notes.py`
keeps them.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from worker.console.rendering import parts_of
from worker.fail.notes import About


def _note(request: Request, about: About, subject: str, back: str) -> Response:
    parts = parts_of(request)
    text = request.state.form.get("note", "")
    parts.notes.write(about, subject, request.state.visitor.name, parts.redactor.without_secrets(text))
    return RedirectResponse(f"{back}?did=note#notes", 303)


def note_of_letter(request: Request) -> Response:
    job_id = parts_of(request).jobs.read(request.path_params["job_id"]).id
    return _note(request, "job", job_id, f"/dead-letters/{job_id}")


def note_of_problem(request: Request) -> Response:
    fingerprint = parts_of(request).problems.read(request.path_params["fingerprint"]).fingerprint
    return _note(request, "problem", fingerprint, f"/problems/{fingerprint}")
