"""Sandbox, control: the control calls over HTTP, under `/_control/` on every listener.

`POST /_control/{name}` takes arguments as a JSON object, `GET /_control/{name}?…` as text (numbers and true/false are
read as such); the answer is `{"result": …}`, or 400 with `{"error": "…"}`. It promises the same calls as controls.py.
Its scope ends at translating.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from worker.sandbox.http11 import Reply, Request, json_reply

PREFIX = "/_control/"


def answer(call: Callable[..., Any], request: Request) -> Reply:
    """Carry out one control call."""
    name = request.path.removeprefix(PREFIX)
    try:
        if request.method == "GET":
            arguments = {key: _read(value) for key, value in request.query.items()}
        else:
            arguments = json.loads(request.body or b"{}")
        return json_reply(200, {"result": call(name, **arguments)})
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        return json_reply(400, {"error": str(error)})


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
