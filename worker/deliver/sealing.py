"""Deliver: a short secret, sealed so that it can lie in the shared store.

Promise: without the account's own secret a sealed text says nothing but its length, and a changed one is not opened.
Scope: one text. Encrypt, then authenticate: HMAC-SHA256 over a counter is the key stream, a second key makes the tag;
both keys are stretched from the secret, which may be a password that somebody chose.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import b64decode, b64encode

ROUNDS = 200_000
NONCE, TAG = 16, 32


class Seal:
    """Seals and opens texts of one account. `secret` is what its processes have in common."""

    def __init__(self, account: str, secret: str) -> None:
        self._account = account.encode()
        keys = hashlib.pbkdf2_hmac("sha512", secret.encode(), b"paceline seal " + self._account, ROUNDS)
        self._stream_key, self._tag_key = keys[:32], keys[32:]

    def close(self, text: str) -> str:
        nonce = secrets.token_bytes(NONCE)
        hidden = self._mix(nonce, text.encode())
        return b64encode(nonce + self._tag(nonce, hidden) + hidden).decode()

    def open(self, sealed: str) -> str | None:
        """The text; None when it was sealed with another secret, or changed."""
        try:
            whole = b64decode(sealed, validate=True)
        except ValueError:
            return None
        nonce, tag, hidden = whole[:NONCE], whole[NONCE : NONCE + TAG], whole[NONCE + TAG :]
        if not hmac.compare_digest(tag, self._tag(nonce, hidden)):
            return None
        return self._mix(nonce, hidden).decode()

    def _mix(self, nonce: bytes, text: bytes) -> bytes:
        blocks = -(-len(text) // 32)
        stream = b"".join(
            hmac.digest(self._stream_key, nonce + number.to_bytes(4), "sha256") for number in range(blocks)
        )
        return bytes(one ^ other for one, other in zip(text, stream, strict=False))

    def _tag(self, nonce: bytes, hidden: bytes) -> bytes:
        return hmac.digest(self._tag_key, self._account + b"\0" + nonce + hidden, "sha256")
