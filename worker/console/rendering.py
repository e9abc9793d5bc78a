"""Console: from a template and values to an answer.

Promise: everything is escaped unless a template of ours made it; a name that a template does not get is an error, not
a gap. A script that looks again gets the part that changes and nothing else, above all no person's name.
Scope: rendering, and what every page's frame shows: where one is, who one is, how much asks for somebody.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from worker import VERSION
from worker.console.marks import glance
from worker.console.parts import Parts
from worker.console.sharing import is_look
from worker.console.wording import FILTERS

FOLDER = Path(__file__).parent
PAGES = (
    ("/", "Overview"), ("/alerts", "Alerts"), ("/problems", "Problems"), ("/dead-letters", "Dead letters"),
    ("/operations", "Operations"), ("/jobs", "Jobs"), ("/lanes", "Lanes"), ("/workers", "Workers"), ("/audit", "Audit"),
)  # fmt: skip
HOTKEYS = {
    "/": "o", "/alerts": "a", "/problems": "p", "/dead-letters": "d", "/jobs": "j", "/operations": "b",
    "/lanes": "l", "/workers": "w", "/audit": "u",
}  # fmt: skip
"""After g."""
COUNTED = {"/alerts": "alerts that nobody knows of yet", "/dead-letters": "dead letters", "/lanes": "holds"}
"""What a count beside a name counts."""


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters.update(FILTERS)
    made.globals.update(pages=PAGES, hotkeys=HOTKEYS, counted=COUNTED, version=VERSION)
    return made


TEMPLATES = _environment()


def parts_of(request: Request) -> Parts:
    found: Parts = request.app.state.parts
    return found


def render(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page inside the frame. Asks the store for what the frame shows."""
    parts = parts_of(request)
    seen = glance(parts.partition)
    now_us = values.pop("now_us", None) or parts.partition.now_us()
    return bare(request, template, status, counts=seen.counts, marks=seen.marks, now_us=now_us, **values)


def bare(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page that asks the store nothing: for when it cannot answer, or nobody was let in."""
    frame: dict[str, Any] = {
        "counts": {}, "now_us": 0, "path": request.scope["path"], "visitor": getattr(request.state, "visitor", None),
        "place": parts_of(request).settings.environment, "live": "", "on": "", "marks": {}, "query_words": {},
        "look": is_look(request),
    }  # fmt: skip
    return HTMLResponse(TEMPLATES.get_template(template).render(frame | values), status)
