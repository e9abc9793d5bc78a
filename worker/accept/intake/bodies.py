"""Accept, over HTTP: bodies, read no further than they may go.

Promise: a body that is too long is refused before it is in memory, whatever it said of its length; JSON is exactly
JSON. Lines come one by one, so a long batch needs no more memory than its longest line. Scope: bytes to values.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import ClientDisconnect, Request

from worker.accept.intake.trouble import Trouble

JSON = ("application/json",)
LINES = ("application/jsonl", "application/x-ndjson", "application/x-jsonlines")
CLOSE = {"Connection": "close"}


def media_type(request: Request) -> str:
    """The content type, without its parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def whole(request: Request, most: int) -> bytes:
    """The body. Raises `Trouble` as soon as it is known to be too long."""
    said = request.headers.get("content-length", "")
    if said.isdecimal() and int(said[:20]) > most:
        raise too_large(most)
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > most:
                raise too_large(most)
    except ClientDisconnect:
        raise Trouble("malformed", "expected the whole body, got a part of it; send it again.") from None
    return bytes(body)


async def lines(request: Request, most: int) -> AsyncIterator[tuple[int, bytes | Trouble]]:
    """Lines with their numbers from 1; empty ones are left out. One that is too long comes as what is wrong with it."""
    number, rest, skipping = 0, bytearray(), False
    async for part in request.stream():
        rest += part
        *ended, last = rest.split(b"\n")
        for line in ended:
            number += 1
            if skipping or len(line) > most:
                yield number, too_large(most)
            elif line.strip():
                yield number, bytes(line)
            skipping = False
        rest = bytearray() if skipping or len(last) > most else bytearray(last)
        skipping = skipping or len(last) > most
    if skipping:
        yield number + 1, too_large(most)
    elif rest.strip():
        yield number + 1, bytes(rest)


def too_large(most: int) -> Trouble:
    """More than may come at once. The connection ends, for the rest is not read."""
    return Trouble("too-large", f"expected at most {most} bytes, got more; send less at once.", headers=CLOSE)


def as_object(body: bytes) -> dict[str, Any]:
    """The JSON object. Raises `Trouble`."""
    value = _parsed(body)
    if not isinstance(value, dict):
        raise Trouble("malformed", f"expected a JSON object, got {_kind(value)}; send {{…}}.")
    return value


def _parsed(body: bytes) -> Any:
    try:
        text = body.decode("utf-8")
        value = json.loads(text, parse_constant=_no_constant)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()  # half of a surrogate pair is no character
    except UnicodeError:
        raise Trouble("malformed", "expected JSON in UTF-8, got bytes that are no text; encode it again.") from None
    except json.JSONDecodeError as error:
        raise Trouble(
            "malformed",
            f"expected JSON, but it breaks at line {error.lineno}, column {error.colno} "
            f"({error.msg.removesuffix(' at')}); correct it.",
        ) from None
    except RecursionError:
        raise Trouble("malformed", "expected JSON of a reasonable depth, got one that is nested too deeply.") from None
    except ValueError as error:
        came = str(error) if str(error) in ("NaN", "Infinity", "-Infinity") else "a number that is far too long"
        raise Trouble("malformed", f"expected JSON, got {came}; send another value.") from None
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _kind(value: Any) -> str:
    names = {list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
