"""Deliver: credentials, read at the moment of sending.

Promises: a replaced secret file is used by the next call, without a restart; a file that vanished, is empty or unusable
never stops a worker: the last good value stays, and `problems()` says so. Safe to use from all threads.
Scope: headers, query and certificate paths of an account; whether a credential works is learnt from the answer.
"""

import hashlib
import json
import threading
import time
from base64 import b64encode
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from settings import Settings
from settings.hub import Party
from settings.secret import SecretUnreadableError, password_fault, read_bytes, token_fault
from settings.stellantis import Subscription
from worker.deliver.masking import address_secrets, longest_first, shapes
from worker.deliver.signing import SigningSecrets, Use, forms
from worker.deliver.watched_file import WatchedFile
from worker.deliver.watched_secret import Secret
from worker.errors import Refused

KEPT_OLD = 64
TELLING = 12
"""A client id of fewer characters may be an ordinary word: it is masked as a field, not in every text."""
LOOK_EVERY_S = 1.0
HASH_ROUNDS = 20_000
"""A password may be guessable; a version is shown, so testing guesses against it must cost something."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where an account's certificate, key and authority lie. `version` differs after any of them was replaced."""

    client_certificate: Path | None
    client_key: Path | None
    ca_bundle: Path | None
    version: str


def digest(content: bytes) -> str:
    if not content.strip():
        raise SecretUnreadableError("is empty")
    return hashlib.sha256(content).hexdigest()


def watched_certificate(path: Path) -> WatchedFile[str]:
    try:
        first = digest(read_bytes(path))
    except SecretUnreadableError:
        first = ""  # there when the settings were checked, gone since: the next look reports it
    return WatchedFile(path, digest, first)


@dataclass(slots=True)
class Held:
    """What an account needs to identify itself."""

    source: Party | Subscription
    secret: Secret
    upcoming: Secret | None
    certificates: list[WatchedFile[str]] = field(default_factory=list)
    version: str = ""

    def in_use(self) -> Iterator[WatchedFile[str]]:
        if self.secret.file:
            yield self.secret.file
        yield from self.certificates

    def files(self) -> Iterator[WatchedFile[str]]:
        yield from self.in_use()
        if self.upcoming and self.upcoming.file:
            yield self.upcoming.file

    def values(self) -> list[str]:
        return [self.secret.value, *([self.upcoming.value] if self.upcoming else [])]

    def identifiers(self) -> list[str]:
        source = self.source
        known = [source.client_id] if isinstance(source, Subscription) else []
        return [value for value in known if len(value) >= TELLING and value not in source.account]

    def headers(self, token: str | None = None) -> dict[str, str]:
        """With `token` in place of the one in use, where an account has tokens."""
        if isinstance(self.source, Party):
            value = self.secret.value if token is None else token
            return {"Authorization": f"Token {base64(value) if self.source.token_encoding == 'base64' else value}"}
        return {"Authorization": f"Basic {self.basic()}"}

    def basic(self) -> str:
        return base64(f"{self.source.username}:{self.secret.value}") if isinstance(self.source, Subscription) else ""

    def fingerprint(self, token: str | None = None) -> str:
        """The same in every process for the same credential; says nothing about it."""
        identity = [self.headers(token)["Authorization"], *(file.value for file in self.certificates)]
        if isinstance(self.source, Subscription):
            identity.append(self.source.client_id)
        salt = f"paceline {self.source.account}".encode()
        return hashlib.pbkdf2_hmac("sha256", json.dumps(identity).encode(), salt, HASH_ROUNDS).hex()[:12]


def base64(text: str) -> str:
    return b64encode(text.encode()).decode()


def held_of(source: Party | Subscription) -> Held:
    if isinstance(source, Party):
        upcoming = Secret(source.next_token, token_fault) if source.next_token else None
        return Held(source, Secret(source.token, token_fault), upcoming)
    paths = (source.client_certificate, source.client_key, source.ca_bundle)
    certificates = [watched_certificate(path) for path in paths if path is not None]
    return Held(source, Secret(source.password, password_fault), None, certificates)


class Credentials:
    """The credentials of every account. One object per process; every method may be called from every thread."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        sources: tuple[Party | Subscription, ...] = (*settings.hub.parties, *settings.stellantis.subscriptions)
        self._held = {source.account: held_of(source) for source in sources}
        self._always = [
            shape for secret in (settings.redis_url, settings.observe.sentry_dsn) for shape in fixed(secret)
        ]
        self._signing = SigningSecrets(settings)
        self._receivers = receivers_of(settings)
        if settings.observe.webhook_url is not None:
            self._always += fixed(settings.observe.webhook_url)
        self._lock = threading.RLock()
        self._clock = clock
        self._looked = clock()
        self._changed: set[str] = set()
        # A replaced token stays valid at the hub for a day, so it is masked for as long as this process remembers it.
        self._old: deque[str] = deque(maxlen=KEPT_OLD)
        self._shapes: tuple[str, ...] | None = None

    def headers_for(self, account: str) -> dict[str, str]:
        """The headers that identify us, with what the files hold now."""
        if account in self._receivers:
            return {}
        with self._lock:
            return self._fresh(account).headers()

    def query_for(self, account: str) -> dict[str, str]:
        if account in self._receivers:
            return {}
        source = self._known(account).source
        return {"client_id": source.client_id} if isinstance(source, Subscription) else {}

    def tls_for(self, account: str) -> TlsFiles | None:
        """None where an account uses plain server verification."""
        if account in self._receivers:
            return self._receivers[account]
        with self._lock:
            held = self._fresh(account)
            source = held.source
            if isinstance(source, Party) or not held.certificates:
                return None
            version = hashlib.sha256("".join(file.value for file in held.certificates).encode()).hexdigest()[:12]
            return TlsFiles(source.client_certificate, source.client_key, source.ca_bundle, version)

    def version_of(self, account: str) -> str:
        """A short mark of what identifies us now: equal in all processes, different after a change, not reversible."""
        with self._lock:
            held = self._fresh(account)
            held.version = held.version or held.fingerprint()
            return held.version

    def next_headers_for(self, account: str) -> dict[str, str] | None:
        """The headers with the token that a rotation is about to bring into use; None while none is set."""
        with self._lock:
            held = self._fresh(account)
            return held.headers(held.upcoming.value) if held.upcoming else None

    def next_version_of(self, account: str) -> str:
        """The mark that `version_of` will give once the next token is in use; empty while none is set."""
        with self._lock:
            held = self._fresh(account)
            return held.fingerprint(held.upcoming.value) if held.upcoming else ""

    def signing_secrets(self, use: Use) -> tuple[str, ...]:
        """What our webhooks or callbacks are signed with, as the files hold it now; none where none are sent."""
        with self._lock:
            self._look_at_signing()
            return self._signing.of(use)

    def changed(self) -> set[str]:
        """Accounts whose credential in use is another one since the last call. Costs one `stat` per file."""
        with self._lock:
            self._look()
            found, self._changed = self._changed, set()
            return found

    def problems(self) -> list[str]:
        """One sentence for each file that cannot be used now."""
        with self._lock:
            self._look()
            named = [(account, file) for account, held in self._held.items() for file in held.files()]
            named += self._signing.files()
            return [
                f"{name}: the file {file.path} {file.problem}; the last good value stays in use."
                for name, file in named
                if file.problem
            ]

    def secrets(self) -> tuple[str, ...]:
        """Every secret in every shape it can turn up in, longest first; the same object until one changes.

        Asked for each text, so files are looked at once a second at most; what a request carries is listed by then.
        """
        with self._lock:
            if self._clock() - self._looked >= LOOK_EVERY_S:
                self._look()
            if self._shapes is None:
                self._shapes = tuple(longest_first(self._all_shapes()))
            return self._shapes

    def _all_shapes(self) -> Iterator[str]:
        yield from self._always
        current = [
            value for held in self._held.values() for value in (*held.values(), held.basic(), *held.identifiers())
        ]
        for value in (*self._old, *current, *self._signing.values()):
            yield from shapes(value) if value else ()

    def _known(self, account: str) -> Held:
        if (held := self._held.get(account)) is None:
            known = ", ".join(sorted(self._held)) or "none at all"
            raise Refused(f"expected an account from the settings ({known}), got {account!r}.")
        return held

    def _fresh(self, account: str) -> Held:
        held = self._known(account)
        before = [*held.values(), held.basic()]
        used = [file.refresh() for file in held.in_use()]
        upcoming = held.upcoming.file.refresh() if held.upcoming and held.upcoming.file else False
        if any(used):
            held.version = ""
            self._changed.add(account)
        if any(used) or upcoming:
            now = [*held.values(), held.basic()]
            self._old.extend(value for value in before if value and value not in now)
            self._shapes = None
        return held

    def _look(self) -> None:
        self._looked = self._clock()
        for account in self._held:
            self._fresh(account)
        self._look_at_signing()

    def _look_at_signing(self) -> None:
        if replaced := self._signing.look():
            self._old.extend(form for value in replaced for form in forms(value))
            self._shapes = None


def receivers_of(settings: Settings) -> dict[str, TlsFiles | None]:
    """Those that are told how jobs ended: to them we are known by a signature alone."""
    bundle = settings.callbacks.ca_bundle
    tls = TlsFiles(None, None, bundle, "") if bundle else None
    return {name: tls for name, account in settings.accounts().items() if account.api == "callback"}


def fixed(secret: SecretStr | None) -> Iterator[str]:
    for value in address_secrets(secret.get_secret_value()) if secret else ():
        if value:
            yield from shapes(value)
