"""Deliver: when a certificate file expires.

Promise: reads the one field by the certificate's own structure, without a library for all of X.509; what cannot be
read raises ValueError. Scope: the first certificate of a PEM file; whether it is trusted is for TLS to say.
"""

from __future__ import annotations

import re
import ssl
from datetime import UTC, datetime
from pathlib import Path

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_SEQUENCE, _VERSION, _UTC_TIME, _LONG_TIME = 0x30, 0xA0, 0x17, 0x18


def expires_at(path: Path) -> datetime:
    """The end of the certificate's validity. OSError if the file cannot be read, ValueError if it holds none."""
    found = _PEM.search(path.read_text(encoding="ascii", errors="replace"))
    if found is None:
        raise ValueError("it holds no certificate in PEM form")
    try:
        return _not_after(ssl.PEM_cert_to_DER_cert(found[0]))
    except IndexError:
        raise ValueError("its certificate is cut off") from None


def _not_after(der: bytes) -> datetime:
    """Certificate > to be signed > [version], serial number, algorithm, issuer, validity > not before, not after."""
    _, to_be_signed, _ = _element(_element(der)[1])
    rest = to_be_signed
    if rest[0] == _VERSION:
        rest = _element(rest)[2]
    for _ in range(3):
        rest = _element(rest)[2]
    tag, validity, _ = _element(rest)
    if tag != _SEQUENCE:
        raise ValueError("it is not built like a certificate")
    tag, until, _ = _element(_element(validity)[2])
    text = until.decode("ascii", "replace")
    if tag == _UTC_TIME:  # two digits of the year: 50 and later are of the last century
        text = ("19" if text[:2] >= "50" else "20") + text
    elif tag != _LONG_TIME:
        raise ValueError("it is not built like a certificate")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _element(der: bytes) -> tuple[int, bytes, bytes]:
    """Tag and content of the first element, and what follows it."""
    tag, length, start = der[0], der[1], 2
    if length & 0x80:
        size = length & 0x7F
        length = int.from_bytes(der[2 : 2 + size])
        start = 2 + size
    return tag, der[start : start + length], der[start + length :]
