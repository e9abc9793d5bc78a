"""Observe: the one door through which anything about a call reaches a log, a record, an alert or a page.

Promise: known secrets are masked wherever they appear, in every usual encoding; headers, query parameters and body
fields are shown only if they are on a list of harmless ones, so a field nobody thought of stays hidden; what points
to a person or a car is masked unless the settings ask to show it. Bodies become a bounded preview with the length
and SHA-256 of the whole. Scope: masking. Who calls it is in `evidence.py` and `log.py`.

A masked value keeps its last characters, so that a person who knows the value can recognise it; a secret keeps none.
Values of very few characters cannot be told from ordinary text and are masked as fields, not wherever they appear.
"""

import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from worker.observe import allowed
from worker.observe.choices import is_choice
from worker.observe.known_secrets import CUT, HIDDEN, KnownSecrets
from worker.observe.people import VIN, masked, names_in, without_people

__all__ = ["HIDDEN", "PREVIEW_BYTES", "Redactor"]

PREVIEW_BYTES = 4096
_WINDOW = 16 * 1024
_HEADER_LIMIT = 1024
_PERSONAL = "(personal)"

# Every repetition that could be tried again from each of its characters is bounded: bodies are written by others.
# A word after "token" is a sentence; a digit, padding or great length makes it a credential.
_SCHEME = re.compile(r"\b(Token|Basic|Bearer)(\s+)(?=\S*[0-9=_]|\S{20})[A-Za-z0-9+/=_.~-]{4,}", re.IGNORECASE)
_USERINFO = re.compile(r"(://)[^/\s@\"']+@")
_RESULT_SECRET = re.compile(r"(command-results/[^/\s\"']+/)[^/\s\"'?#]+")
_FIELD = re.compile(
    r'"(?P<key>[A-Za-z_][\w.-]{0,60})"\s*:\s*(?P<value>"(?:[^"\\]|\\.)*"?|-?\d[\d.eE+-]*|\[[^\]\[{}]*\]?)', re.DOTALL
)
_REPEATS_UP_TO = 80
_REMEMBERED = 2048


class Redactor:
    """Masks by the lists in `allowed.py` and by the secrets that `secrets()` names at the time."""

    def __init__(self, secrets: Callable[[], Iterable[str]], personal: Literal["mask", "show"] = "mask") -> None:
        self._known = KnownSecrets(secrets)
        self._show_personal = personal == "show"
        self._seen: dict[str, str] = {}
        self._about = threading.local()

    def attend(self, call: Any) -> None:
        """From now on, on this thread: whoever `call` (parameters and body, or None) names is masked in all texts."""
        names = set() if self._show_personal else set(names_in(call))
        self._about.names = sorted(names, key=len, reverse=True)

    def redact_text(self, text: str) -> str:
        """Free text: an exception's message, a vendor's words, a log line."""
        self._refresh()
        return self._text(text)

    def redact_headers(self, headers: Mapping[str, str] | Iterable[tuple[str, str]]) -> dict[str, str]:
        """The headers on the list; several of one name are joined. That `Authorization` was there is shown, not
        what.
        """
        self._refresh()
        shown: dict[str, str] = {}
        for name, value in headers.items() if isinstance(headers, Mapping) else headers:
            key = name.lower()
            if key == "authorization":
                shown[key] = HIDDEN
            elif key in allowed.HEADERS or allowed.HEADER_FAMILIES.match(key):
                safe = self._link(value) if key in allowed.HEADERS_WITH_URLS else self._text(_cut(value))
                shown[key] = f"{shown[key]}, {safe}" if key in shown else safe
        return shown

    def redact_url(self, url: str) -> str:
        """The URL without user, fragment, personal path segments or values of parameters that are not on the list."""
        self._refresh()
        return self._url(url)

    def redact_body(self, body: bytes, content_type: str | None, *, asked: bool = False) -> dict[str, Any]:
        """A preview of at most 4 KiB, with the length and SHA-256 of the body as it was on the wire. `asked`: it is a
        request of ours.
        """
        self._refresh()
        return {
            "preview": self._preview(body, content_type or "", asked),
            "length": len(body),
            "sha256": hashlib.sha256(body).hexdigest(),
        }

    def without_secrets(self, value: Any) -> Any:
        """A JSON value for its rightful reader: everything but the secrets of the settings."""
        self._refresh()
        return self._known.hidden_in_value(value)

    def redact_value(self, value: Any, key: str = "", *, asked: bool = False) -> Any:
        """A JSON value, field by field; `key` is the name it stands under. `asked`: it is what a call was asked with,
        where values that the catalogue names are nobody's.
        """
        self._refresh()
        return self._walk(value, key, asked)

    def _walk(self, value: Any, key: str, asked: bool = False) -> Any:
        if isinstance(value, dict):
            personal = key == _PERSONAL or (key.lower() in allowed.PERSONAL and not self._show_personal)
            return {self._text(str(k)): self._member(v, str(k), personal, asked) for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._member(item, key, False, asked) for item in value]
        return self._leaf(value, key)

    def _member(self, value: Any, key: str, personal: bool, asked: bool) -> Any:
        if asked and key.lower() not in allowed.SECRET and is_choice(key, value):
            return self._text(value)
        return self._walk(value, _inside(key, personal), asked)

    def _leaf(self, value: Any, key: str) -> Any:
        if isinstance(value, bool) or value is None:
            return value
        name = key.lower()
        if name in allowed.SECRET:
            return HIDDEN
        if isinstance(value, str) and name in allowed.URLS:
            return self._url(value)
        if name in allowed.FIELDS or (self._show_personal and name):
            return self._text(value) if isinstance(value, str) else value
        return masked(self._without_secrets(value)) if isinstance(value, str) else HIDDEN

    def _preview(self, body: bytes, content_type: str, asked: bool) -> str:
        if not body:
            return ""
        if not allowed.TEXT_TYPES.search(content_type) and b"\0" in body[:1024]:
            return "[binary]"
        text = self._json_preview(body, asked) if len(body) <= _WINDOW else None
        if text is None:
            text = self._fragment_preview(body)
        return text.encode("utf-8", "replace")[:PREVIEW_BYTES].decode("utf-8", "ignore")

    def _json_preview(self, body: bytes, asked: bool) -> str | None:
        try:
            return self._without_secrets(json.dumps(self._walk(json.loads(body), "", asked), ensure_ascii=False))
        except (ValueError, RecursionError):
            return None

    def _fragment_preview(self, body: bytes) -> str:
        """Text that is no whole JSON document: HTML, or JSON that was cut off or is too long to be walked."""
        text = body[:_WINDOW].decode("utf-8", "replace")
        if len(body) > _WINDOW:
            # A secret cut in two at the window's edge could not be recognised.
            text = text[: _WINDOW - self._known.longest]
        return self._text(_FIELD.sub(self._field, text))

    def _field(self, match: re.Match[str]) -> str:
        raw, key = match["value"], match["key"]
        try:
            shown = json.dumps(self._walk(json.loads(raw), key), ensure_ascii=False)
        except ValueError:
            shown = f'"{HIDDEN}"'
        return f'"{key}": {shown}'

    def _quoted_field(self, match: re.Match[str]) -> str:
        """JSON that a text quotes: what stands under a person's or a secret's name; the rest is the text's own."""
        name = match["key"].lower()
        personal = name in allowed.PERSONAL and not self._show_personal
        return self._field(match) if personal or name in allowed.SECRET else match[0]

    def _text(self, text: str) -> str:
        text = self._remembered(text)
        for name in getattr(self._about, "names", ()):
            if name in text:
                text = text.replace(name, masked(name))
        return text

    def _remembered(self, text: str) -> str:
        """Short texts repeat from call to call (hosts, types, words of the table), so what became of them is kept."""
        if len(text) > _REPEATS_UP_TO:
            return self._masked_text(text)
        shown = self._seen.get(text)
        if shown is None:
            if len(self._seen) >= _REMEMBERED:
                self._seen.clear()
            shown = self._seen[text] = self._masked_text(text)
        return shown

    def _masked_text(self, text: str) -> str:
        text = _SCHEME.sub(rf"\1\2{HIDDEN}", self._without_secrets(text))
        text = _RESULT_SECRET.sub(rf"\1{HIDDEN}", _USERINFO.sub(rf"\1{HIDDEN}@", text))
        if '":' in text or '" :' in text:
            text = _FIELD.sub(self._quoted_field, text)
        return text if self._show_personal else without_people(text)

    def _url(self, url: str) -> str:
        try:
            parts = urlsplit(url)
            host = parts.hostname or ""
            port = f":{parts.port}" if parts.port else ""
        except ValueError:
            return HIDDEN
        netloc = (f"[{host}]" if ":" in host else host) + port
        pairs = parse_qsl(parts.query, keep_blank_values=True)
        shown = [(k, self._text(_cut(v)) if k in allowed.QUERY else HIDDEN) for k, v in pairs]
        query = urlencode(shown, safe="[]:,…")
        return self._without_secrets(urlunsplit((parts.scheme, netloc, self._path(parts.path), query, "")))

    def _link(self, value: str) -> str:
        if "<" not in value:
            return self._url(_cut(value))
        return re.sub(r"<([^>]*)(?:>|$)", lambda match: f"<{self._url(match[1])}>", self._text(_cut(value)))

    def _path(self, path: str) -> str:
        segments = path.split("/")
        for position, segment in enumerate(segments):
            before = segments[:position]
            if before[-2:-1] == ["command-results"]:
                segments[position] = HIDDEN
            elif not self._show_personal and (before[-3:-2] == ["tokens"] or VIN.search(unquote(segment))):
                segments[position] = masked(unquote(segment))
            elif (plain := unquote(segment)) != (shown := self._text(plain)):
                segments[position] = quote(shown, safe="[]@:,").replace(quote(CUT), CUT)
        return "/".join(segments)

    def _without_secrets(self, text: str) -> str:
        return self._known.hidden_in(text)

    def _refresh(self) -> None:
        if self._known.refresh():
            self._seen.clear()


def _inside(key: str, personal: bool) -> str:
    """The name a value is judged by: all of a personal group is personal, but its secrets stay secrets."""
    return _PERSONAL if personal and key.lower() not in allowed.SECRET else key


def _cut(value: str) -> str:
    return value if len(value) <= _HEADER_LIMIT else value[:_HEADER_LIMIT] + CUT
