"""Accounts and budgets: the documented limits, and what settings make of them."""

import dataclasses
import json
from typing import Any

import pytest

from settings import Account, Window, load

PARTY: dict[str, Any] = {"country_code": "in", "party_id": "abc", "role": "emsp", "token": "token-of-abc"}
SUBSCRIPTION: dict[str, Any] = {"name": "fleet-1", "client_id": "app", "username": "MZP1", "password": "pass"}


def hub(**changes: Any) -> Account:
    environ = {"PACELINE_HUB__BASE_URL": "http://hub/", "PACELINE_HUB__PARTIES": json.dumps([{**PARTY, **changes}])}
    return load(environ).accounts()["hub:IN-ABC"]


def fleet(**changes: Any) -> Account:
    text = json.dumps([{**SUBSCRIPTION, **changes}])
    environ = {"PACELINE_STELLANTIS__B2B_BASE_URL": "http://api/v3", "PACELINE_STELLANTIS__SUBSCRIPTIONS": text}
    return load(environ).accounts()["stellantis:fleet-1"]


def test_a_party_is_an_account_in_capital_letters() -> None:
    account = hub()
    assert (account.name, account.api, account.role) == ("hub:IN-ABC", "hub", "EMSP")
    assert (account.country_code, account.party_id, account.base_url) == ("IN", "ABC", "http://hub")
    assert account.headers is False


def test_a_party_has_the_documented_budgets() -> None:
    assert hub().budgets == {
        "tokens": (Window("tokens", 100, 60_000_000, None),),
        "commands": (Window("commands", 50, 60_000_000, None),),
        "locations": (Window("locations", 200, 60_000_000, None),),
        "control": (Window("control", 60, 60_000_000, None),),
        "other": (),
    }


def test_a_subscription_has_a_day_and_a_second_window() -> None:
    account = fleet()
    day, second = Window("calls.day", 100_000, 86_400_000_000, "1"), Window("calls.second", 100, 1_000_000, "2")
    assert account.budgets == {
        "calls": (day, second),
        "control": (Window("control", 60, 60_000_000, None), day, second),
        "other": (),
    }
    assert (account.api, account.role, account.country_code, account.party_id) == ("stellantis", None, None, None)
    assert account.headers is True


def test_a_control_call_counts_in_the_same_windows_as_data_calls() -> None:
    budgets = fleet().budgets
    assert [a is b for a, b in zip(budgets["calls"], budgets["control"][1:], strict=True)] == [True, True]


def test_a_subscription_has_its_own_limits_and_window_lengths() -> None:
    day, second = fleet(limit_per_day=500, limit_per_second=5, day_window_s=10, second_window_s=0.25).budgets["calls"]
    assert (day.limit, day.length_us, second.limit, second.length_us) == (500, 10_000_000, 5, 250_000)


def test_a_limit_by_window_comes_before_the_limit_per_day() -> None:
    account = fleet(limit_per_day=500, limits={"calls.day": {"limit": 7, "window_s": 3}})
    assert account.budgets["calls"][0] == account.budgets["control"][1] == Window("calls.day", 7, 3_000_000, "1")


def test_a_party_can_have_limits_of_its_own() -> None:
    budgets = hub(limits={"tokens": {"limit": 20, "window_s": 2}, "control": {"limit": 3, "window_s": 1.5}}).budgets
    assert budgets["tokens"] == (Window("tokens", 20, 2_000_000, None),)
    assert budgets["control"] == (Window("control", 3, 1_500_000, None),)
    assert budgets["commands"] == (Window("commands", 50, 60_000_000, None),)


def test_operations_without_a_documented_limit_can_get_one() -> None:
    limits = {"limits": {"other": {"limit": 9, "window_s": 60}}}
    for account in (hub(**limits), fleet(**limits)):
        assert account.budgets["other"] == (Window("other", 9, 60_000_000, None),)


def test_a_window_name_means_one_window_in_its_account() -> None:
    for account in (hub(), fleet()):
        windows = {window for budget in account.budgets.values() for window in budget}
        assert len({window.name for window in windows}) == len(windows)


def test_accounts_and_their_budgets_cannot_be_changed() -> None:
    account = hub()
    with pytest.raises(dataclasses.FrozenInstanceError):
        account.name = "other"  # type: ignore[misc]
    with pytest.raises(TypeError, match="frozen"):
        account.budgets["other"] = ()
