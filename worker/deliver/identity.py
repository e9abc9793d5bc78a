"""Deliver: what a call needs in order to say who makes it.

Promise: asked at the moment of sending, so that a replaced secret is used by the next call. Scope: the question. A
secret that is configured answers it in `credentials.py`; one that is fetched and lapses, in `bearer.py`.
"""

from __future__ import annotations

from typing import Protocol

from worker.deliver.exchange import TlsFiles


class Identity(Protocol):
    """Who we are to the other side, by account."""

    def headers_for(self, account: str) -> dict[str, str]: ...
    def query_for(self, account: str) -> dict[str, str]: ...
    def tls_for(self, account: str) -> TlsFiles | None: ...
