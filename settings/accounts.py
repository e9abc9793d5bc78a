"""Settings: accounts and their budgets, derived from what was configured.

Promises: a window's name is unique inside its account, and the same name is the same window in every budget, so a
control call counts where the vendor counts it. Scope ends at the numbers; `worker.limiter` keeps the windows.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from settings.callbacks import CallbacksSection, is_loopback
from settings.hub import Hub, Party
from settings.section import FrozenDict, Limit
from settings.stellantis import Stellantis, Subscription

Budgets = FrozenDict[str, tuple["Window", ...]]

# The documented limits; `control` is ours, for token and probe calls. `other` has none until somebody sets one.
HUB_LIMITS: dict[str, tuple[int, float]] = {
    "tokens": (100, 60.0),
    "commands": (50, 60.0),
    "locations": (200, 60.0),
    "control": (60, 60.0),
}
CONTROL = (60, 60.0)


@dataclass(frozen=True, slots=True)
class Window:
    """At most `limit` calls in any `length_us`; `header_suffix` names it in the vendor's rate headers."""

    name: str
    limit: int
    length_us: int
    header_suffix: str | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """One credential or receiver, and the windows its calls must fit in. A budget without windows is unlimited."""

    name: str
    api: Literal["hub", "stellantis", "callback"]
    role: str | None
    country_code: str | None
    party_id: str | None
    base_url: str
    budgets: dict[str, tuple[Window, ...]]
    headers: bool
    """Whether the API's responses carry rate headers."""


def window(name: str, default: tuple[int, float], limits: Mapping[str, Limit], suffix: str | None = None) -> Window:
    chosen = limits.get(name)
    limit, length_s = (chosen.limit, chosen.window_s) if chosen else default
    return Window(name, limit, round(length_s * 1_000_000), suffix)


def other(limits: Mapping[str, Limit]) -> tuple[Window, ...]:
    return (window("other", (0, 0.0), limits),) if "other" in limits else ()


def hub_account(party: Party, base_url: str) -> Account:
    budgets = {name: (window(name, default, party.limits),) for name, default in HUB_LIMITS.items()}
    return Account(
        name=party.account,
        api="hub",
        role=party.role,
        country_code=party.country_code,
        party_id=party.party_id,
        base_url=base_url,
        budgets=Budgets(budgets | {"other": other(party.limits)}),
        headers=False,
    )


def stellantis_account(subscription: Subscription, base_url: str) -> Account:
    limits = subscription.limits
    day = window("calls.day", (subscription.limit_per_day, subscription.day_window_s), limits, "1")
    second = window("calls.second", (subscription.limit_per_second, subscription.second_window_s), limits, "2")
    budgets = {
        "calls": (day, second),
        "control": (window("control", CONTROL, limits), day, second),
        "other": other(limits),
    }
    return Account(
        name=subscription.account,
        api="stellantis",
        role=None,
        country_code=None,
        party_id=None,
        base_url=base_url,
        budgets=Budgets(budgets),
        headers=True,
    )


def callback_account(host: str, limits: Mapping[str, Limit]) -> Account:
    """A host that may be told how jobs ended: who we are to it is said by a signature."""
    own = {"other": limits[host]} if host in limits else {}
    return Account(
        name=f"callback:{host}",
        api="callback",
        role=None,
        country_code=None,
        party_id=None,
        base_url=f"{'http' if is_loopback(host) else 'https'}://{host}",
        budgets=Budgets({"other": other(own)}),
        headers=False,
    )


def accounts_of(hub: Hub, stellantis: Stellantis, callbacks: CallbacksSection) -> Iterator[Account]:
    for party in hub.parties:
        yield hub_account(party, hub.base_url or "")
    for subscription in stellantis.subscriptions:
        yield stellantis_account(subscription, stellantis.b2b_base_url or "")
    for host in callbacks.hosts:
        yield callback_account(host, callbacks.limits)
