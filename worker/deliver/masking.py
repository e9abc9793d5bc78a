"""Deliver: the shapes in which a secret can turn up in a text.

Promises: the value itself and the encodings that our requests, and answers quoting them, would show.
Scope ends at listing; masking is the work of `worker.observe.redact`.
"""

import html
import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

SHORTEST = 4
"""Masking anything shorter would blacken ordinary words and hide nothing."""


def shapes(value: str) -> set[str]:
    """A value as it is, quoted for an address, escaped for JSON and HTML, and in Base64 with or without padding."""
    found = {value, quote(value), quote(value, safe=""), quote_plus(value), html.escape(value)}
    found |= {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    for encoded in (b64encode(value.encode()).decode(), urlsafe_b64encode(value.encode()).decode()):
        found |= {encoded, encoded.rstrip("="), quote(encoded, safe="")}
    return found


def address_secrets(address: str) -> set[str]:
    """The address itself and every password in it, as written and as meant."""
    parts = urlsplit(address)
    written = {parts.password or ""} | {value for key, value in parse_qsl(parts.query) if key.lower() == "password"}
    return {address, *written, *(unquote(value) for value in written)}


def longest_first(values: Iterable[str]) -> list[str]:
    """Without doubles; a long shape is masked before a short one that is part of it."""
    return sorted({value for value in values if len(value) >= SHORTEST}, key=lambda value: (-len(value), value))
