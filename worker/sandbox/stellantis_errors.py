"""Sandbox, Stellantis: the six shapes in which errors arrive from its hosts.

standard: the documented body. legacy: the examples of the API file (4- or 6-digit codes). gateway: the API gateway in
front. oauth: the token endpoint. named: the newer platform. html: a web server that knows no API. Its scope ends at
bodies.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from worker.sandbox.http11 import Reply, json_reply


def error_reply(shape: str, status: int, code: int | str, message: str) -> Reply:
    """An error answer in the given shape; shapes without a code leave it out."""
    phrase = HTTPStatus(status).phrase
    if shape == "html":
        page = f"<html><body><h1>{status} - {phrase}!</h1></body></html>"
        return Reply(status, page.encode(), "text/html")
    bodies: dict[str, dict[str, Any]] = {
        "standard": {"code": code, "uuid": str(uuid.uuid4()), "message": message, "timestamp": _now()},
        "legacy": {"code": int(f"{status}123"), "debug": phrase, "message": message},
        "gateway": {"httpCode": str(status), "httpMessage": phrase, "moreInformation": message},
        "oauth": {"error": "invalid_grant" if status in (400, 401) else "server_error", "error_description": message},
        "named": {"name": phrase, "debug": f"ERROR_{phrase.upper().replace(' ', '_')}", "message": message},
    }
    if shape not in bodies:
        raise ValueError(f"there is no error shape '{shape}'; the shapes are {', '.join(bodies)}, html")
    return json_reply(status, bodies[shape])


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
