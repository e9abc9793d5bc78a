"""Deliver: signatures of what we post of our own accord, as Standard Webhooks describes them, and their secrets.

Promise: a message is signed for exactly the bytes that go out, under a time of this very attempt, as receivers refuse
old ones; while a secret is being replaced it is signed with both, so that each receiver can change when it likes; a
replaced file is used by the next message. Scope: secrets and headers; what is posted where is said by who posts it.

The headers: `webhook-id`, `webhook-timestamp` (seconds) and `webhook-signature`: for each secret `v1,` and the Base64
of the HMAC-SHA256 of `id.timestamp.body` under the bytes behind `whsec_`, with a space between them.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from typing import Literal

from settings import Settings
from settings.secret import SIGNING_PREFIX, signing_fault
from worker.deliver.watched_file import WatchedFile
from worker.deliver.watched_secret import Secret

Use = Literal["webhook", "callback"]


class SigningSecrets:
    """What is signed with, by use. Not safe by itself for several threads: `credentials.py` locks."""

    def __init__(self, settings: Settings) -> None:
        given = {
            "webhook": (settings.observe.webhook_secret,),
            "callback": (settings.callbacks.secret, settings.callbacks.next_secret),
        }
        self._secrets = {use: [Secret(one, signing_fault) for one in some if one] for use, some in given.items()}

    def of(self, use: Use) -> tuple[str, ...]:
        """The secrets in use, the older one first; none where nothing is signed."""
        return tuple(secret.value for secret in self._secrets[use])

    def look(self) -> list[str]:
        """Looks at the files; the values that were replaced."""
        replaced = []
        for secret in self._all():
            before = secret.value
            if secret.file and secret.file.refresh():
                replaced.append(before)
        return replaced

    def files(self) -> Iterator[tuple[str, WatchedFile[str]]]:
        for use, some in self._secrets.items():
            yield from ((use, secret.file) for secret in some if secret.file)

    def values(self) -> list[str]:
        """As they are written, and without their prefix."""
        return [form for secret in self._all() for form in forms(secret.value)]

    def _all(self) -> Iterator[Secret]:
        for some in self._secrets.values():
            yield from some


def forms(value: str) -> tuple[str, str]:
    """The ways in which one is written down: a library may take it without the prefix."""
    return value, value.removeprefix(SIGNING_PREFIX)


def signed(body: bytes, message_id: str, at_s: int, secrets: Iterable[str]) -> dict[str, str]:
    """The three headers for exactly these bytes."""
    content = f"{message_id}.{at_s}.".encode() + body
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": " ".join(f"v1,{_mac(secret, content)}" for secret in secrets),
    }


def _mac(secret: str, content: bytes) -> str:
    key = b64decode(secret.removeprefix(SIGNING_PREFIX))
    return b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
