"""Deliver: one secret, fixed or in a file that may be replaced at any time.

Promise: a file that vanished, is empty or holds something unusable leaves the last good value in place. Scope: one
secret's value; whose it is, and when the file is looked at, is said by `credentials.py`.
"""

from collections.abc import Callable

from pydantic import SecretStr

from settings.secret import SecretFile, SecretRef, SecretUnreadableError
from worker.deliver.watched_file import WatchedFile


class Secret:
    """One secret: fixed, or in a file that is looked at again."""

    def __init__(self, reference: SecretRef, fault: Callable[[str], str]) -> None:
        self.fixed = reference.get_secret_value() if isinstance(reference, SecretStr) else ""
        self.file: WatchedFile[str] | None = None
        if isinstance(reference, SecretFile):
            self.file = WatchedFile(reference.path, reader(reference, fault), reference.first.get_secret_value())

    @property
    def value(self) -> str:
        return self.file.value if self.file else self.fixed


def reader(reference: SecretFile, fault: Callable[[str], str]) -> Callable[[bytes], str]:
    def read(content: bytes) -> str:
        value = reference.value_in(content)
        if problem := fault(value):
            raise SecretUnreadableError(f"does not hold {problem}")
        return value

    return read
