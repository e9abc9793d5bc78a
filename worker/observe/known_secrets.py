"""Observe: the secrets of the settings, found in any text, in every form they can be written down in.

Promise: a secret is hidden whole, also what is left of one that somebody cut in two; nothing else is touched. Scope:
values that are known; what is hidden for where it stands or what it looks like is `redact.py`'s business.
"""

import base64
import json
import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote, quote_plus

HIDDEN = "[hidden]"
CUT = "…"
"""Stands where a text was shortened."""
SHORTEST = 4
_MARKS = 8


class KnownSecrets:
    """What `secrets()` names at the time. Asking costs nothing while it answers with the same tuple."""

    def __init__(self, secrets: Callable[[], Iterable[str]]) -> None:
        self._secrets = secrets
        self._given: Iterable[str] | None = None
        self._known: frozenset[str] = frozenset()
        self._pattern: re.Pattern[str] | None = None
        self._stems: re.Pattern[str] | None = None
        self._forms: tuple[str, ...] = ()
        self.longest = 0

    def refresh(self) -> bool:
        """Asks again; whether they have changed."""
        given = self._secrets()
        if given is self._given:
            return False  # the very list of the last time
        known = frozenset(given)
        if known == self._known:
            self._given = given if isinstance(given, tuple) else None
            return False
        forms = {form for secret in known for form in _forms(secret) if len(form) >= SHORTEST}
        self._forms = tuple(sorted(forms, key=len, reverse=True))
        self.longest = len(self._forms[0]) if forms else 0
        self._pattern = _any_of(self._forms)
        self._stems = _any_of(sorted({form[:SHORTEST] for form in forms}))
        self._known = known
        self._given = given if isinstance(given, tuple) else None  # last: another thread may ask meanwhile
        return True

    def hidden_in(self, text: str) -> str:
        """The text without them."""
        if self._pattern is None:
            return text
        text = self._pattern.sub(HIDDEN, text)
        return self._without_stumps(text) if CUT in text else text

    def hidden_in_value(self, value: Any) -> Any:
        """A JSON value without them; the very same one where there are none."""
        if self._pattern is None or not self._pattern.search(json.dumps(value)):
            return value
        return self._walk(value)

    def _walk(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {self.hidden_in(str(k)): self._walk(v) for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._walk(item) for item in value]
        return self.hidden_in(value) if isinstance(value, str) else value

    def _without_stumps(self, text: str) -> str:
        """Whoever shortened a text may have cut a secret in two: its first part, before the mark of a cut, goes too.

        Our own marks are the last ones: what stands before them was said by others, however many marks of theirs.
        """
        at = len(text)
        for _ in range(_MARKS):
            if (at := text.rfind(CUT, 0, at)) < 0:
                return text
            before = text[max(0, at - self.longest) : at]
            if self._stems is not None and self._stems.search(before):
                length = max(_stump(before, form) for form in self._forms)
                text = text[: at - length] + (HIDDEN if length else "") + text[at:]
                at -= length
        return text


def _any_of(words: Iterable[str]) -> re.Pattern[str] | None:
    pattern = "|".join(map(re.escape, words))
    return re.compile(pattern) if pattern else None


def _stump(text: str, form: str) -> int:
    """How many characters at the end of `text` are the beginning of `form`; too few tell nobody anything."""
    start = text.find(form[:SHORTEST], max(0, len(text) - len(form)))
    while start >= 0:
        if form.startswith(text[start:]):
            return len(text) - start
        start = text.find(form[:SHORTEST], start + 1)
    return 0


def _forms(secret: str) -> Iterable[str]:
    """The ways a secret may be written down."""
    yield secret
    yield " ".join(secret.split())
    yield repr(secret.encode())[2:-1]
    yield quote(secret, safe="")
    yield quote_plus(secret)
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    if len(secret) >= SHORTEST:
        raw = secret.encode()
        for encoded in (base64.b64encode(raw), base64.urlsafe_b64encode(raw)):
            yield encoded.decode()
            yield encoded.decode().rstrip("=")
