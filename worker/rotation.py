"""Entry: changing a hub token without a moment in which none is valid.

Promise: nothing is switched here and nothing is called without a permit of the budget `control`: each run says what is
true now and the one next step; a token shows as its version mark and never as itself. The new token is in use only
after the hub has accepted it in a call. Scope: one party. Source: the hub's page on token rotation.

The order: (1) have a second token made valid, (2) set it as next_token, (3) verify it, (4) make it the token, (5) have
the old one revoked, (6) remove next_token. Between 1 and 5 both are valid, so workers may switch one after another.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from settings import Account, Settings
from settings.hub import Party
from settings.secret import SecretFile, SecretRef
from worker.acquaint import acquaint
from worker.deliver.credentials import Credentials
from worker.deliver.exchange import TlsFiles
from worker.deliver.identity import Identity
from worker.errors import Refused
from worker.limiter.holds import Holds
from worker.limiter.limiter import Limiter
from worker.probe import Answer, Probe
from worker.store.partition import Partition

Level = Literal["ok", "warn", "fail", "next"]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that is known now, or (`next`) the one thing to do."""

    level: Level
    said: str


@dataclass(frozen=True, slots=True)
class Tokens:
    """How the tokens of a party stand. Versions are marks: equal for equal tokens, in every process."""

    account: str
    version: str
    where: str
    next_version: str
    next_where: str
    held: str

    @property
    def stage(self) -> str:
        if not self.next_version:
            return "steady"
        return "switched" if self.next_version == self.version else "two tokens"

    def as_dict(self) -> dict[str, Any]:
        return {
            "account": self.account, "version": self.version, "where": self.where, "held": self.held or None,
            "next_version": self.next_version or None, "next_where": self.next_where or None, "stage": self.stage,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Next:
    """The party as it will identify itself."""

    credentials: Credentials

    def headers_for(self, account: str) -> dict[str, str]:
        headers = self.credentials.next_headers_for(account)
        assert headers is not None, "asked only when there is a next token"
        return headers

    def query_for(self, account: str) -> dict[str, str]:
        return self.credentials.query_for(account)

    def tls_for(self, account: str) -> TlsFiles | None:
        return self.credentials.tls_for(account)


class Rotation:
    """The tokens of the hub's parties."""

    def __init__(self, settings: Settings, credentials: Credentials, partition: Partition) -> None:
        self._settings = settings
        self._credentials = credentials
        self._partition = partition
        self._accounts = settings.accounts()
        self._parties = {party.account: party for party in settings.hub.parties}

    def tokens(self, account: str) -> Tokens:
        """How they stand, without a call. Raises `Refused`."""
        party = self._party(account)
        hold = Holds(self._partition).all().get(f"account:{account}")
        return Tokens(
            account=account,
            version=self._credentials.version_of(account),
            where=_where(party.token),
            next_version=self._credentials.next_version_of(account),
            next_where=_where(party.next_token) if party.next_token else "",
            held=hold.words() if hold else "",
        )

    def steps(self, account: str) -> Iterator[Step]:
        """What is true, checked by calls, and what to do next. The last step says whether it goes well."""
        tokens = self.tokens(account)
        registered = acquaint(self._settings, self._partition, "tokens")
        if not registered:
            yield Step("warn", "The running workers have other settings than these: do this where they are set.")
        current = self._ask(account, self._credentials)
        yield Step(current.level, f"token {tokens.version} ({tokens.where}), in use: {current.said}")
        if tokens.stage == "steady":
            yield Step("next", _FIRST)
        elif tokens.stage == "switched":
            yield Step("next", _LAST if current.level == "ok" else _REFUSED_SWITCHED)
        else:
            yield from self._before_the_switch(account, tokens)

    def _before_the_switch(self, account: str, tokens: Tokens) -> Iterator[Step]:
        answer = self._ask(account, _Next(self._credentials))
        yield Step(answer.level, f"token {tokens.next_version} ({tokens.next_where}), next: {answer.said}")
        if answer.level == "ok":
            yield Step("next", _switch(self._party(account), tokens))
        else:
            yield Step(
                "next",
                "Do not switch: the hub has not accepted the next token, and nothing was changed. Send the hub PUT "
                "credentials with it, or ask the account team; then run this again.",
            )

    def _ask(self, account: str, identity: Identity) -> Answer:
        known: Account = self._accounts[account]
        return Probe(self._settings, identity, Limiter(self._partition), known).ask()

    def _party(self, account: str) -> Party:
        party = self._parties.get(account)
        if party is not None:
            return party
        known = ", ".join(self._parties) or "none is configured"
        if account in self._accounts:
            raise Refused(
                f"expected a party of the hub ({known}), got {account}, which has a password and no token: replace its "
                "file, and it is probed and used at once."
            )
        raise Refused(f"expected a party of the hub ({known}), got {account[:80]!r}; correct it.")


def _where(reference: SecretRef) -> str:
    if isinstance(reference, SecretFile):
        return f"file {reference.path}"
    return "PACELINE_HUB__PARTIES"


def _switch(party: Party, tokens: Tokens) -> str:
    """Where to change what, so that the verified token comes into use."""
    after = (
        f"Then run this again: the token in use must be {tokens.next_version}. Until the old one is revoked both are "
        "valid, so nothing has to happen at the same moment."
    )
    if isinstance(party.token, SecretFile) and party.token.inside is None:
        return (
            f"Write the next token into {party.token.path} (as a new file that is renamed over it). Workers use it "
            f"with their next call; no restart. {after}"
        )
    if isinstance(party.token, SecretFile):
        name = "-".join(value for _, value in party.token.inside.identity) if party.token.inside else ""
        return (
            f"In {party.token.path} make it the token of {name}. Workers use it with their next call; no restart. "
            f"{after}"
        )
    return f"In PACELINE_HUB__PARTIES make it the token of this party, and restart worker and web one by one. {after}"


_FIRST = (
    "To rotate, have a second token made valid: send the hub PUT credentials with the current token, and take the "
    "token of its answer (where it names none, the one you sent). Set it as next_token of this party, best as a "
    "file, and run this again: it is verified before anything changes."
)
_LAST = (
    "The switch is done and the hub accepts the token. Wait until every worker has it (those that hold it as text "
    "need a restart), ask the account team to revoke the old one, leave it 24 hours for calls under way, then remove "
    "next_token from the settings."
)
_REFUSED_SWITCHED = (
    "The token in use is the next one, and it is not accepted: write the old one back, which is valid until it is "
    "revoked, and ask the account team."
)
