"""Console: the error table in force: what each sign means, and what becomes of a call.

Promise: it is made from the very rows that decide, so it cannot say anything else; a fate that settings changed is
marked, with what it was. Scope: the page Error table.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from worker.console.rendering import parts_of, render
from worker.fail.overriding import table_of


def policy(request: Request) -> Response:
    rows = table_of(parts_of(request).settings).as_rows()
    return render(request, "policy.html", rows=rows, changed=sum(1 for row in rows if row["changed"]))
