"""Settings: secrets, given literally or as a file that may change while the program runs.

Promises: a value appears in no text made from these objects or from their errors. A file reference remembers the value
it had when the settings were read, so a file that vanishes later leaves a good value behind.
Scope ends at reading one reference once; noticing changes is the work of `worker.deliver.credentials`.
"""

import json
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BeforeValidator, SecretStr

from settings.section import sentence, wrong

SIGNING_PREFIX = "whsec_"


class SecretUnreadableError(Exception):
    """Why a secret file gave no value: completes "the file …", and never quotes content."""


@dataclass(frozen=True, slots=True)
class Inside:
    """Where in a JSON secret file a value stands: found by identity, since a later version may be re-ordered."""

    keys: tuple[str, ...]
    identity: tuple[tuple[str, str], ...]
    name: str

    def find(self, document: Any) -> str:
        for key in self.keys:
            document = document.get(key) if isinstance(document, dict) else None
        for item in document if isinstance(document, list) else []:
            if isinstance(item, dict) and all(str(item.get(k, "")).upper() == v.upper() for k, v in self.identity):
                value = item.get(self.name)
                return value if isinstance(value, str) else ""
        raise SecretUnreadableError("has no entry any more for " + "-".join(v for _, v in self.identity))


@dataclass(frozen=True, slots=True)
class SecretFile:
    """A reference to a secret in a file, with the value it had at the start."""

    path: Path
    inside: Inside | None = None
    first: SecretStr = field(default_factory=lambda: SecretStr(""), repr=False, compare=False)

    @classmethod
    def open(cls, path: Path, inside: Inside | None = None) -> "SecretFile":
        return cls(path, inside, SecretStr(cls(path, inside).read()))

    def read(self) -> str:
        """The value now, or SecretUnreadableError."""
        return self.value_in(read_bytes(self.path))

    def value_in(self, content: bytes) -> str:
        """The value in a given content of the file."""
        problem, value = "is empty" if self.inside is None else f"gives no {self.inside.name}", ""
        try:
            text = content.decode()
            value = text if self.inside is None else self.inside.find(json.loads(text))
        except UnicodeDecodeError:
            problem = "is not UTF-8 text"
        except (ValueError, RecursionError):
            problem = "is not readable as JSON"
        if not (value := value.rstrip("\r\n")).strip():
            raise SecretUnreadableError(problem)  # outside of `except`: those errors carry the content
        return value


def read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "not a usable path"
    raise SecretUnreadableError(f"cannot be read ({why.lower()})")


def shown_path(path: Path) -> str:
    """A path for a message. Somebody may have put the secret itself where its file's name belongs, so only a path in a
    folder that exists is quoted."""
    length = len(str(path))
    if path.name == str(path):
        return f"with a bare name of {length} characters"
    try:
        quote = path.parent.is_dir()
    except (OSError, ValueError):
        quote = False
    return str(path) if quote else f"with a path of {length} characters, in no existing folder,"


def token_fault(value: str) -> str:
    """What is wrong with a token that must travel in a header; empty if nothing is."""
    return "" if all("!" <= c <= "~" for c in value) else "visible ASCII without spaces (only the token itself)"


def password_fault(value: str) -> str:
    """RFC 7617 allows anything but control characters."""
    return "" if value.isprintable() else "a password without control characters"


def reference(fault: Callable[[str], str]) -> Callable[[object], SecretStr | SecretFile]:
    """A validator: text, a SecretStr, or {"file": "path"} becomes a reference whose value could be read and used."""

    def check(given: object) -> SecretStr | SecretFile:
        if isinstance(given, dict):
            given = open_file(given)
        if isinstance(given, str):
            given = SecretStr(given.rstrip("\r\n"))
        if not isinstance(given, SecretStr | SecretFile):
            raise wrong()
        value = given.first.get_secret_value() if isinstance(given, SecretFile) else given.get_secret_value()
        if not value.strip() or fault(value):
            there = f" in the file {shown_path(given.path)}" if isinstance(given, SecretFile) else ""
            raise wrong(fault(value), f"a value of {len(value)} characters{there}")
        return given

    return check


def open_file(given: dict[Any, Any]) -> SecretFile:
    if set(given) != {"file"} or not isinstance(given["file"], str | Path) or not str(given["file"]):
        raise wrong('text, or {"file": "path"} and nothing else')
    path = Path(given["file"])
    try:
        return SecretFile.open(path.absolute())
    except SecretUnreadableError as error:
        problem = str(error)
    raise sentence(f"the file {shown_path(path)} {problem}")


def signing_fault(value: str) -> str:
    """What is wrong with a secret of Standard Webhooks; empty if nothing is."""
    try:
        length = len(b64decode(value.removeprefix(SIGNING_PREFIX), validate=True))
    except ValueError:
        length = 0
    right = value.startswith(SIGNING_PREFIX) and 24 <= length <= 64
    return "" if right else "whsec_ and the Base64 of 24 to 64 bytes"


def redis_address(given: object) -> SecretStr:
    """The store's address is secret as a whole: it may carry a password in several places."""
    text = given.get_secret_value() if isinstance(given, SecretStr) else given
    if not isinstance(text, str):
        raise wrong()
    text = text.strip()
    try:
        parts = urlsplit(text)
        usable = bool(
            parts.path if parts.scheme == "unix" else parts.hostname and (parts.port is None or parts.port > 0)
        )
    except ValueError:
        usable = False
    if not usable or parts.scheme not in ("redis", "rediss", "unix") or any(c.isspace() for c in text):
        raise wrong()
    return SecretStr(text)


def webhook_address(given: object) -> SecretStr:
    """An address of a receiver often is its key as well, so it is secret as a whole."""
    text = given.get_secret_value() if isinstance(given, SecretStr) else given
    if not isinstance(text, str) or any(c.isspace() or not c.isprintable() for c in text.strip()):
        raise wrong()
    text = text.strip()
    try:
        parts = urlsplit(text)
        usable = parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable or parts.scheme not in ("http", "https") or parts.username is not None or "#" in text:
        raise wrong()
    return SecretStr(text)


def sentry_address(given: object) -> SecretStr:
    text = given.get_secret_value() if isinstance(given, SecretStr) else given
    if not isinstance(text, str):
        raise wrong()
    text = text.strip()
    try:
        parts = urlsplit(text)
        project = parts.path.rstrip("/").rpartition("/")[2]
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.username and project
    except ValueError:
        usable = False
    if not usable:
        raise wrong()
    return SecretStr(text)


SecretRef = SecretStr | SecretFile
TokenRef = Annotated[SecretRef, BeforeValidator(reference(token_fault))]
PasswordRef = Annotated[SecretRef, BeforeValidator(reference(password_fault))]
RedisAddress = Annotated[SecretStr, BeforeValidator(redis_address)]
SigningRef = Annotated[SecretRef, BeforeValidator(reference(signing_fault))]
WebhookAddress = Annotated[SecretStr, BeforeValidator(webhook_address)]
SentryAddress = Annotated[SecretStr, BeforeValidator(sentry_address)]
