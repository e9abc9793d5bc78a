"""Console: from a template and values to an answer.

Promise: everything is escaped unless a template of ours made it; a name that a template does not get is an error, not
a gap. Scope: rendering, and what every page's frame shows: where one is, who one is, how much lies dead.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from worker import VERSION
from worker.console.parts import Parts
from worker.console.wording import FILTERS

FOLDER = Path(__file__).parent
PAGES = (
    ("/", "Overview"), ("/problems", "Problems"), ("/dead-letters", "Dead letters"), ("/jobs", "Jobs"),
    ("/lanes", "Lanes"), ("/workers", "Workers"), ("/audit", "Audit"),
)  # fmt: skip


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
    made.globals.update(pages=PAGES, version=VERSION)
    return made


TEMPLATES = _environment()


def parts_of(request: Request) -> Parts:
    found: Parts = request.app.state.parts
    return found


def render(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page inside the frame. Asks the store for what the frame shows."""
    parts = parts_of(request)
    key = parts.partition.key
    dead, marked, held = parts.partition.ask(
        ("zcard", key("dead")), ("zcard", key("discarded")), ("hlen", key("holds"))
    )
    counts = {"/dead-letters": int(dead) - int(marked), "/lanes": int(held)}
    now_us = values.pop("now_us", None) or parts.partition.now_us()
    return bare(request, template, status, counts=counts, now_us=now_us, **values)


def bare(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page that asks the store nothing: for when it cannot answer, or nobody was let in."""
    frame: dict[str, Any] = {
        "counts": {}, "now_us": 0, "path": request.scope["path"], "visitor": getattr(request.state, "visitor", None),
        "place": parts_of(request).settings.environment, "live": False, "query_words": {},
    }  # fmt: skip
    return HTMLResponse(TEMPLATES.get_template(template).render(frame | values), status)
