"""Console: a file for a vendor's support as a download.

Promise: what is in it was masked when it was recorded; a browser saves it and never shows it as a page. Scope: the
answer; `fail/bundle.py` has the form.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.responses import Response

from worker.errors import NotFound
from worker.fail.bundle import Case, as_json, as_markdown
from worker.fail.notes import Note
from worker.fail.problem import Problem

KINDS = {"md": "text/markdown; charset=utf-8", "json": "application/json"}


def bundle_response(
    name: str, form: str, cases: Sequence[Case], problem: Problem | None = None, notes: Sequence[Note] = ()
) -> Response:
    """`name` is an id of ours, so it may stand in a header."""
    if form not in KINDS:
        raise NotFound(f"a file for support is .md or .json, not .{form[:10]}.")
    text = (as_json if form == "json" else as_markdown)(cases, problem, notes)
    disposition = f'attachment; filename="support-{name}.{form}"'
    return Response(text, media_type=KINDS[form], headers={"Content-Disposition": disposition})
