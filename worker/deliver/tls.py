"""Deliver: TLS contexts from an account's files.

Promise: the other side is always verified, against the account's own authority where one is named; a file that was
replaced is seen by the next call. Scope: reading certificates; which files belong to an account is said by
`credentials.py`.
"""

import os
import ssl
from typing import Any

import certifi

from worker.deliver.exchange import TlsFiles

Fingerprint = tuple[tuple[str, int, int], ...]


def paths_of(tls: TlsFiles | None) -> tuple[str, ...]:
    """The files' names; equal for accounts that can share connections."""
    return tuple("" if path is None else str(path) for path in _files(tls))


def fingerprint_of(tls: TlsFiles | None) -> Fingerprint:
    """Changes whenever one of the files is replaced. OSError if one is missing."""
    return tuple((path, stat.st_mtime_ns, stat.st_size) for path in paths_of(tls) if path for stat in (os.stat(path),))


def context_for(tls: TlsFiles | None) -> ssl.SSLContext:
    """A context that verifies, and shows our certificate if there is one. OSError (ssl.SSLError too) if a file is
    bad.
    """
    certificate, key, authority = _files(tls)
    context = ssl.create_default_context(cafile=str(authority or certifi.where()))
    if certificate is not None:
        # Without a password function OpenSSL would ask for one on the terminal.
        context.load_cert_chain(str(certificate), None if key is None else str(key), password=lambda: "")
    return context


def _files(tls: TlsFiles | None) -> tuple[Any, Any, Any]:
    return (None, None, None) if tls is None else (tls.client_certificate, tls.client_key, tls.ca_bundle)
