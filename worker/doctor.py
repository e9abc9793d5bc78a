"""Entry: a look at everything Paceline needs, before or while it works: settings, store, clock, accounts.

Promise: one sentence per finding; each account makes at most one call, with a permit of its budget `control`, so that
looking never trips a limit; no worker has to run. Scope: looking; nothing is mended, and no job is touched.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import redis

from settings import Account, Settings
from worker.acquaint import SILENT_LEASES, acquaint
from worker.deliver.credentials import Credentials
from worker.deliver.expiry import expires_at
from worker.errors import StoreUnavailable
from worker.limiter.holds import Holds
from worker.limiter.limiter import Limiter
from worker.limiter.quota import RAISE, Quota, quotas
from worker.probe import Answer, Probe
from worker.store.connection import Server, check_rights, check_store, describe_server, problems_of, shown
from worker.store.partition import Partition

Level = Literal["ok", "warn", "fail"]
SKEW_S = 1.0
EXPIRES_SOON = timedelta(days=30)
NEARLY_FULL = 0.9


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `unreachable`: it could not be asked at all."""

    level: Level
    about: str
    said: str
    unreachable: bool = False

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class Doctor:
    """Looks at one installation."""

    def __init__(self, settings: Settings, credentials: Credentials, partition: Partition, url: str) -> None:
        self._settings = settings
        self._credentials = credentials
        self._partition = partition
        self._url = url
        self._limiter = Limiter(partition)
        self._accounts = settings.accounts()

    def look(self, call: bool = True) -> Iterator[Finding]:
        """The findings, as they are made. Without `call` no API is asked."""
        yield from self._settings_hold()
        if self._settings.redis_url is None:
            yield Finding(
                "ok", "store", f"PACELINE_REDIS_URL is not set: the embedded server of this checkout, {self._url}."
            )
        try:
            server = describe_server(self._partition.client)
        except redis.RedisError:
            yield self._unreachable()
            return
        yield from self._store(server)
        try:
            check_rights(self._partition.decide, shown(self._url))
        except StoreUnavailable as error:
            yield Finding("fail", "store", str(error))
            return
        yield self._clock()
        yield self._fleet()
        yield from self._stopped()
        yield from self._files()
        registered = acquaint(self._settings, self._partition, "doctor")
        figures = quotas(self._partition)
        for account in self._accounts.values():
            yield from self._quota(figures.get(account.name))
            if call and account.api != "callback":  # a receiver is called when there is something to tell
                yield self._account(account, registered)

    def _settings_hold(self) -> Iterator[Finding]:
        names = ", ".join(self._accounts) or "no account"
        level: Level = "ok" if self._accounts else "warn"
        yield Finding(level, "settings", f"valid for the environment {self._settings.environment}; {names}.")
        if any(account.api == "hub" for account in self._accounts.values()) and not self._settings.public_url:
            yield Finding(
                "warn",
                "settings",
                "PACELINE_PUBLIC_URL is not set: commands need a response_url of their own in the body.",
            )

    def _unreachable(self) -> Finding:
        try:
            check_store(self._partition.client, shown(self._url))
        except StoreUnavailable as error:
            return Finding("fail", "store", str(error), unreachable=True)
        return Finding("fail", "store", f"{shown(self._url)} answered only the second time; look at the network.", True)

    def _store(self, server: Server) -> Iterator[Finding]:
        problems = problems_of(server)
        for problem in problems:
            yield Finding("fail", "store", problem)
        if not problems:
            policy = server.policy or "a policy that it does not show; make sure it is noeviction"
            yield Finding(
                "ok",
                "store",
                f"{server.product} {server.version} at {shown(self._url)}, {server.role}, maxmemory-policy {policy}.",
            )
        careless = not server.append_only or (self._settings.environment == "production" and not server.durable)
        yield Finding("warn" if careless else "ok", "durability", f"{server.promise}.")
        yield self._memory(server)

    def _memory(self, server: Server) -> Finding:
        if not server.max_memory:
            level: Level = "warn" if self._settings.environment == "production" else "ok"
            return Finding(level, "memory", "no maxmemory is set: intake cannot refuse before the machine is full.")
        used: dict[str, Any] = self._partition.client.info("memory")
        share = int(used["used_memory"]) / server.max_memory
        said = f"{share:.0%} of maxmemory is used"
        if share >= NEARLY_FULL:
            return Finding("fail", "memory", f"{said}: new calls are refused; give the store more, or end old jobs.")
        return Finding("ok", "memory", f"{said}.")

    def _clock(self) -> Finding:
        before = time.time()
        seconds, micros = self._partition.client.time()
        after = time.time()
        skew = (seconds + micros / 1e6) - (before + after) / 2
        said = f"the store's clock is {abs(skew) * 1000:.0f} ms {'ahead of' if skew > 0 else 'behind'} this machine's"
        if abs(skew) - (after - before) / 2 > SKEW_S:
            return Finding("warn", "clock", f"{said}: deadlines go by the store's; set both by NTP.")
        return Finding("ok", "clock", f"{said}.")

    def _fleet(self) -> Finding:
        silent_us = int(SILENT_LEASES * self._settings.broker.lease_s * 1e6)
        since = self._partition.now_us() - silent_us
        key = self._partition.key
        living = self._partition.one("zrangebyscore", key("workers"), since, "+inf")
        threads = self._partition.ask(*(("hget", key("worker", one), "threads") for one in living))
        if not living:
            return Finding("warn", "workers", "no worker is running: jobs are accepted and wait.")
        return Finding(
            "ok", "workers", f"{len(living)} running, {sum(int(one or 0) for one in threads)} threads in all."
        )

    def _stopped(self) -> Iterator[Finding]:
        for hold in Holds(self._partition).all().values():
            yield Finding("warn", "holds", f"{hold.words()}.")
        now_us = self._partition.now_us()
        quiet, cause = self._partition.one("hmget", self._partition.key("meta"), "quiet", "suspect")
        if quiet and int(float(quiet)) > now_us:
            yield Finding("warn", "store", f"it may have forgotten something ({cause}): nothing is sent for a while.")

    def _files(self) -> Iterator[Finding]:
        for problem in self._credentials.problems():
            yield Finding("warn", "credentials", problem)
        for subscription in self._settings.stellantis.subscriptions:
            for path in (subscription.client_certificate, subscription.ca_bundle):
                if path is not None:
                    yield self._certificate(subscription.account, path)

    def _certificate(self, account: str, path: Any) -> Finding:
        try:
            end = expires_at(path)
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            return Finding("fail", account, f"the certificate file {path} cannot be used: {why}.")
        left = end - datetime.now(UTC)
        said = f"the certificate {path} {'expired' if left <= timedelta() else 'expires'} on {end:%Y-%m-%d}"
        if left <= timedelta():
            return Finding("fail", account, f"{said}: replace the file; no restart is needed.")
        return Finding("warn" if left < EXPIRES_SOON else "ok", account, f"{said}, in {left.days} days.")

    def _quota(self, quota: Quota | None) -> Iterator[Finding]:
        """The figure of the advice that is told, and of `lanes list`."""
        if quota is not None and (reasons := quota.reasons(self._settings.limiter)):
            api = quota.account.partition(":")[0]
            yield Finding("warn", quota.account, f"{' and '.join(reasons)} ({quota.words()}); {RAISE[api]}.")

    def _account(self, account: Account, registered: bool) -> Finding:
        ask: Callable[[], Answer] = Probe(self._settings, self._credentials, self._limiter, account).ask
        answer = ask()
        said = answer.said
        if answer.level != "ok" and not registered:
            said += " The running workers have other settings than these."
        return Finding(answer.level, account.name, said, answer.unreachable)
