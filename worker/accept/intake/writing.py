"""Accept, over HTTP: lists as files: CSV for a table, JSON lines for a program.

Promise: a file is written as it is read, so its length costs no memory here; everything that fits the filter is in it,
not only a page; a cell that a table would take for a formula is text; a file that broke off is not a whole one to its
reader. Scope: form; the API's lists are walked here, the console's by `console/exporting.py`.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from worker.accept.intake.filtering import MOST, limit
from worker.accept.intake.parts import Parts
from worker.store.partition import CHUNK

FORMS = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl"}
FORMULA = ("=", "+", "-", "@", "\t", "\r")
Row = Mapping[str, Any]
Read = Callable[[Parts, Request], Any]


def whole_list(parts: Parts, request: Request, read: Read, form: str, name: str, columns: Iterable[str]) -> Response:
    """A list of the API as a file: its pages one after another. `limit` bounds it as a whole."""
    most = limit(request) if "limit" in request.query_params else None
    rows = islice(_pages(parts, request, read), most)
    return as_file(rows, form, name, tuple(columns))


def _pages(parts: Parts, request: Request, read: Read) -> Iterator[Row]:
    query = {name: value for name, value in request.query_params.items() if name not in ("format", "limit")}
    while True:
        asked = urlencode(query | {"limit": str(MOST)}).encode()
        found = read(parts, Request({**request.scope, "query_string": asked}))
        yield from found["items"]
        if found["next"] is None:
            return
        query = dict(parse_qsl(found["next"].partition("?")[2], keep_blank_values=True))


def as_file(rows: Iterator[Row], form: str, name: str, columns: tuple[str, ...]) -> Response:
    """The file. The first row is read at once, so that a mistake in the filter, or a store that is away, is told."""
    first = list(islice(rows, 1))
    everything = chain(first, rows)
    text = _csv(columns, everything) if form == "csv" else _lines(everything)
    headers = {"Content-Disposition": f'attachment; filename="{name}.{form}"', "Cache-Control": "no-store"}
    return StreamingResponse(_portions(text), 200, headers, FORMS[form])


def _csv(columns: tuple[str, ...], rows: Iterable[Row]) -> Iterator[str]:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row.get(name)) for name in columns])
        yield out.getvalue()
        out.seek(0)
        out.truncate()
    yield out.getvalue()


def _cell(value: Any) -> str:
    if value is None or value is False:
        return "" if value is None else "no"
    if value is True:
        return "yes"
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
    return f"'{text}" if text.startswith(FORMULA) and not isinstance(value, int | float) else text


def _lines(rows: Iterable[Row]) -> Iterator[str]:
    return (json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in rows)


def _portions(text: Iterator[str], size: int = CHUNK) -> Iterator[str]:
    """Some rows at a time: each portion is a trip to a thread."""
    portion: list[str] = []
    for one in text:
        portion.append(one)
        if len(portion) >= size:
            yield "".join(portion)
            portion.clear()
    yield "".join(portion)
