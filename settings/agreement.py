"""Settings: values that are right alone and wrong together.

Promises: every contradiction is reported, each with the two names that disagree. Scope ends at what can be known
without asking the store or an API; `doctor` asks those.
"""

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from settings.catalogue import Path
from settings.mistakes import variable

if TYPE_CHECKING:
    from settings.whole import Settings

Disagreement = tuple[Path, str]


def disagreements(settings: "Settings") -> list[Disagreement]:
    checks = (production, addresses, duplicates, orders, webhook, callbacks)
    return [found for check in checks for found in check(settings)]


def production(settings: "Settings") -> Iterator[Disagreement]:
    if settings.environment != "production":
        return
    if settings.redis_url is None:
        yield (
            ("redis_url",),
            "expected the address of a store, since production refuses an embedded one, got nothing",
        )
    for path, url in (
        (("hub", "base_url"), settings.hub.base_url),
        (("stellantis", "b2b_base_url"), settings.stellantis.b2b_base_url),
        (("public_url",), settings.public_url),
    ):
        if url is not None and not url.lower().startswith("https://"):
            yield path, f"expected an https address in production, got {url!r}"


def addresses(settings: "Settings") -> Iterator[Disagreement]:
    hub, stellantis = settings.hub, settings.stellantis
    if hub.parties and hub.base_url is None:
        count = len(hub.parties)
        parties = f"{count} {'party' if count == 1 else 'parties'}"
        yield ("hub", "base_url"), f"expected the hub's address, for {parties}, got nothing"
    if stellantis.subscriptions and stellantis.b2b_base_url is None:
        count = len(stellantis.subscriptions)
        yield (
            ("stellantis", "b2b_base_url"),
            f"expected the API's address, for {count} {'subscription' if count == 1 else 'subscriptions'}, got nothing",
        )


def webhook(settings: "Settings") -> Iterator[Disagreement]:
    """Nobody can tell an unsigned alert from one that a stranger made up."""
    url, secret = settings.observe.webhook_url, settings.observe.webhook_secret
    if (url is None) != (secret is None):
        lacks = "webhook_secret" if secret is None else "webhook_url"
        other = variable(("observe", "webhook_url" if secret is None else "webhook_secret"))
        yield ("observe", lacks), f"expected a value, since {other} has one, got nothing"
    if url is not None and settings.environment == "production":
        length = len(url.get_secret_value())
        if not url.get_secret_value().lower().startswith("https://"):
            yield (
                ("observe", "webhook_url"),
                f"expected an https address in production, got a value of {length} characters",
            )


def callbacks(settings: "Settings") -> Iterator[Disagreement]:
    """Unsigned, a callback could be anybody's."""
    section = settings.callbacks
    if section.secret is None and (section.hosts or section.next_secret is not None):
        other = variable(("callbacks", "hosts" if section.hosts else "next_secret"))
        yield ("callbacks", "secret"), f"expected a value, since {other} has one, got nothing"
    for name, hosts in (("private_hosts", section.private_hosts), ("limits", tuple(section.limits))):
        if strange := [host for host in hosts if host not in section.hosts]:
            known = f"hosts of {variable(('callbacks', 'hosts'))}"
            yield ("callbacks", name), f"expected {known}, got {', '.join(strange)[:80]!r}"


def duplicates(settings: "Settings") -> Iterator[Disagreement]:
    parties = Counter(party.account for party in settings.hub.parties)
    names = Counter(subscription.account for subscription in settings.stellantis.subscriptions)
    for path, accounts in ((("hub", "parties"), parties), (("stellantis", "subscriptions"), names)):
        for account, count in accounts.items():
            if count > 1:
                yield path, f"expected every account once, got {account} {count} times"


def orders(settings: "Settings") -> Iterator[Disagreement]:
    """Pairs of numbers of which one bounds the other."""
    broker, limiter, deliver, fail = settings.broker, settings.limiter, settings.deliver, settings.fail
    if not broker.lease_s > 2 * broker.renew_s:
        twice = f"more than twice {variable(('broker', 'renew_s'))} ({broker.renew_s:g})"
        yield (
            ("broker", "lease_s"),
            f"expected {twice}, to survive a lost renewal, got {broker.lease_s:g}",
        )
    if deliver.connect_timeout_s > deliver.total_deadline_s:
        total = f"{variable(('deliver', 'total_deadline_s'))} ({deliver.total_deadline_s:g})"
        yield ("deliver", "connect_timeout_s"), f"expected at most {total}, got {deliver.connect_timeout_s:g}"
    if fail.key_ttl_s < fail.result_ttl_s:
        result = f"at least {variable(('fail', 'result_ttl_s'))} ({fail.result_ttl_s})"
        yield (
            ("fail", "key_ttl_s"),
            f"expected {result}, to outlive it, got {fail.key_ttl_s}",
        )
    if fail.backoff_cap_s < fail.backoff_base_s:
        base = f"at least {variable(('fail', 'backoff_base_s'))} ({fail.backoff_base_s:g})"
        yield ("fail", "backoff_cap_s"), f"expected {base}, got {fail.backoff_cap_s:g}"
    if settings.callbacks.backoff_cap_s < settings.callbacks.backoff_base_s:
        base = f"at least {variable(('callbacks', 'backoff_base_s'))} ({settings.callbacks.backoff_base_s:g})"
        yield ("callbacks", "backoff_cap_s"), f"expected {base}, got {settings.callbacks.backoff_cap_s:g}"
    if limiter.refusal_backoff_cap_s < limiter.refusal_backoff_base_s:
        base = f"at least {variable(('limiter', 'refusal_backoff_base_s'))} ({limiter.refusal_backoff_base_s:g})"
        yield ("limiter", "refusal_backoff_cap_s"), f"expected {base}, got {limiter.refusal_backoff_cap_s:g}"
    if limiter.reserve_normal > limiter.reserve_bulk:
        bulk = f"at most {variable(('limiter', 'reserve_bulk'))} ({limiter.reserve_bulk:g})"
        yield ("limiter", "reserve_normal"), f"expected {bulk}, got {limiter.reserve_normal:g}"
