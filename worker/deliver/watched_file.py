"""Deliver: a file whose content is needed now and may be replaced at any time.

Promises: a change is seen at the next look; looking costs one `stat` while nothing changes; a file that is missing,
empty or unusable leaves the last good value in place and says why.
Scope: one file; what it holds is for the caller to read.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from settings.secret import SecretUnreadableError, read_bytes

T = TypeVar("T")
Signature = tuple[int, int, int, int]

# File systems stamp with a coarse clock: a second write may carry the same stamp as the one we have just read. A file
# is therefore read again until its stamp is this old.
SETTLED_NS = 2_000_000_000


class WatchedFile(Generic[T]):
    """The value that `read` makes of the file's bytes; `read` raises SecretUnreadableError for bytes it cannot use."""

    def __init__(self, path: Path, read: Callable[[bytes], T], first: T) -> None:
        self.path = path
        self.value = first
        self.problem = ""
        self._read = read
        self._seen: Signature | None = None

    def refresh(self) -> bool:
        """Look; true if the value is another one now."""
        try:
            signature = signature_of(self.path)
            if signature == self._seen:
                return False
            value = self._read(read_bytes(self.path))
        except SecretUnreadableError as error:
            self._seen, self.problem = None, str(error)
            return False
        self._seen, self.problem = (signature if settled(signature) else None), ""
        changed, self.value = value != self.value, value
        return changed


def signature_of(path: Path) -> Signature:
    try:
        stat = os.stat(path)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "not a usable path"
    else:
        return stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino
    raise SecretUnreadableError(f"cannot be read ({why.lower()})")


def settled(signature: Signature) -> bool:
    return time.time_ns() - max(signature[:2]) > SETTLED_NS
