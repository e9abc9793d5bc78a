"""The Stellantis rows: the exact request of each, and every refusal that keeps a useless call from leaving."""

import copy
from typing import Any

import pytest

from settings import Account
from tasks.stellantis.rows import ROWS
from worker.accept.operation import Operation
from worker.accept.paging import PageLink
from worker.errors import ForeignOrigin, Refused

BASE = "https://api.example/connectedcar/v3"
FLEET = Account("stellantis:fleet-1", "stellantis", None, None, None, BASE, {}, True)
HUB = Account("hub:IN-ABC", "hub", "EMSP", "IN", "ABC", "https://hub.example", {}, False)
BY_NAME = {row.name.removeprefix("stellantis.b2b."): row for row in ROWS}
CAR = "/fleets/FLEET-1/vehicles/VEH-00001"
REMOTES = f"{CAR}/callbacks/CB-000001/remotes"


def refusal(name: str, params: dict[str, Any], body: Any = None, by: Account = FLEET) -> str:
    with pytest.raises(Refused) as caught:
        BY_NAME[name].check(by, params, body)
    return str(caught.value)


def example(name: str) -> tuple[dict[str, Any], Any]:
    return copy.deepcopy(BY_NAME[name].example)


REQUESTS: dict[str, tuple[str, str, list[tuple[str, str]]]] = {
    "list_fleets": ("GET", "/fleets", [("pageSize", "60")]),
    "list_vehicles": ("GET", "/fleets/FLEET-1/vehicles", [("pageSize", "60"), ("extension", "branding")]),
    "get_vehicle_status": ("GET", f"{CAR}/status", []),
    "get_vehicle_telemetry": (
        "GET",
        f"{CAR}/telemetry",
        [("timestamps", "2026-01-31T00:00:00Z/PT12H"), ("type", "vehicle.battery")],
    ),
    "list_vehicle_trips": ("GET", f"{CAR}/trips", [("timestamps", "2026-01-01T00:00:00Z/P1M"), ("distance", "1-150")]),
    "send_remote": ("POST", REMOTES, []),
    "get_remote": ("GET", f"{REMOTES}/RA-000001", []),
    "list_remotes": ("GET", REMOTES, [("pageSize", "60")]),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_each_operation_sends_exactly_its_documented_request(name: str) -> None:
    row = BY_NAME[name]
    spec = row.request(FLEET, *row.check(FLEET, *row.example))
    method, path, query = REQUESTS[name]
    assert (spec.method, spec.url, spec.query) == (method, BASE + path, query)
    assert (spec.json, spec.headers) == (row.example[1], {})


def test_every_row_has_a_request_in_this_test() -> None:
    assert set(REQUESTS) == set(BY_NAME)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_checking_twice_changes_nothing(row: Operation) -> None:
    once = row.check(FLEET, *row.example)
    assert row.check(FLEET, *once) == once == row.example


def test_only_the_remote_is_unrepeatable_and_it_can_be_reconciled() -> None:
    assert [name for name, row in BY_NAME.items() if not row.repeatable] == ["send_remote"]
    remote = BY_NAME["send_remote"]
    assert (remote.deadline_s, remote.priority) == (60, "urgent")
    reconciling = next(row for row in ROWS if row.name == remote.reconcile)
    assert reconciling.repeatable
    assert set(reconciling.path_names) <= set(remote.path_names), "it needs nothing that only the lost answer knew"


def test_all_draw_on_the_subscriptions_calls() -> None:
    assert {row.budget for row in ROWS} == {"calls"}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_party_of_the_hub_is_refused(row: Operation) -> None:
    with pytest.raises(Refused, match="expected an account of the stellantis API"):
        row.check(HUB, *row.example)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_client_id_is_never_a_parameter(row: Operation) -> None:
    params, body = row.example
    with pytest.raises(Refused, match="Paceline adds the credentials"):
        row.check(FLEET, {**params, "client_id": "x"}, body)


@pytest.mark.parametrize("row", [row for row in ROWS if "vid" in row.path_names], ids=lambda row: row.name)
def test_a_refused_vehicle_id_is_not_shown(row: Operation) -> None:
    params, body = row.example
    with pytest.raises(Refused) as caught:
        row.check(FLEET, {**params, "vid": "VF3ABCDE0FG123456/"}, body)
    assert "VF3" not in str(caught.value)
    assert "params.vid" in str(caught.value)


def test_a_refused_vin_prefix_is_not_shown() -> None:
    text = refusal("list_vehicles", {"fid": "f", "vinPrefix": "VF3ABCDE0FG1234567"})
    assert "at most 17 characters, got a value of 18 characters (personal, not shown)" in text


def test_vehicle_ids_are_percent_encoded() -> None:
    params, _ = BY_NAME["get_vehicle_status"].check(FLEET, {"fid": "a b", "vid": "x?y#z%2F+é="})
    url = BY_NAME["get_vehicle_status"].request(FLEET, params).url
    assert url == f"{BASE}/fleets/a%20b/vehicles/x%3Fy%23z%252F%2B%C3%A9%3D/status"


@pytest.mark.parametrize(
    ("name", "params", "words"),
    [
        ("list_fleets", {"pageSize": 61}, "params.pageSize to be at most 60, got 61"),
        ("list_fleets", {"pageSize": 0}, "params.pageSize to be at least 1, got 0"),
        ("get_vehicle_telemetry", {"pageSize": 2001}, "params.pageSize to be at most 2000, got 2001"),
        ("get_vehicle_telemetry", {"indexRange": "9"}, "params.indexRange to be a range such as 0-9 or 5-, got '9'"),
        ("get_vehicle_telemetry", {"timestamps": ["now"]}, "params.timestamps.0 to be a range such as 2026-01-01"),
        ("get_vehicle_telemetry", {"timestamps": ["a/b"] * 11}, "params.timestamps to be at most 10 items"),
        ("get_vehicle_telemetry", {"type": ["vehicle.engine"]}, "params.type.0 to be one of environment, privacy"),
        ("list_vehicle_trips", {"states": ["Lost"]}, "params.states.0 to be one of Nominal, Unstarted"),
        (
            "list_vehicle_trips",
            {"distance": "far"},
            "params.distance to be kilometres, such as 1-150 or 0.1-, got 'far'",
        ),
        ("get_vehicle_status", {"profile": "me"}, "params.profile to be one of fleet, endUser, got 'me'"),
        ("list_vehicles", {"locale": "french"}, "params.locale to be a language such as fr-FR, got 'french'"),
        ("list_vehicles", {"extention": "branding"}, "did you mean 'extension'?"),
        ("get_remote", {"vin": "1"}, "params.vin is not known"),
    ],
)
def test_a_wrong_parameter_is_refused_by_its_name(name: str, params: dict[str, Any], words: str) -> None:
    assert words in refusal(name, {**example(name)[0], **params})


def test_one_value_may_stand_for_a_list_of_one() -> None:
    params, _ = example("get_vehicle_telemetry")
    checked, _ = BY_NAME["get_vehicle_telemetry"].check(FLEET, {**params, "type": "vehicle.battery"})
    assert checked["type"] == ["vehicle.battery"]


@pytest.mark.parametrize(
    "action",
    [
        {"door": {"state": "Locked"}},
        {"horn": {"state": "Activated"}},
        {"lights": {"on": True}},
        {"wakeUp": {"action": "WakeUp"}},
        {"immobilization": {"activate": True}},
        {"charging": {"immediate": True}},
        {"charging": {"preferences": {"level": "Level1"}}},
        {"charging": {"schedule": {"programs": [{"start": "PT22H", "slot": 1, "enabled": True}]}}},
        {"charging": {"schedule": {"nextDelayedTime": "2026-01-31T22:00:00Z"}}},
        {"stolen": {"trackingPeriod": {"running": 30, "shutdown": 120}}},
        {"navigation": {"positions": [{"type": "Point", "coordinates": [2.1, 48.8]}]}},
        {"preconditioning": {"airConditioning": {"immediate": True}}},
        {"preconditioning": {"airConditioning": {"programs": [{"slot": 1, "actionsType": "Delete"}]}}},
    ],
    ids=lambda action: next(iter(action)),
)
def test_every_documented_remote_action_is_accepted_as_it_is(action: dict[str, Any]) -> None:
    params, _ = example("send_remote")
    assert BY_NAME["send_remote"].check(FLEET, params, action) == (params, action)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "got none; keep one."),
        ({"label": "x"}, "got none; keep one."),
        ({"door": {"state": "Locked"}, "horn": {"state": "Activated"}}, "got door and horn; keep one."),
        ({"door": {"state": "Opened"}}, "body.door.state to be one of Unlocked, Locked, got 'Opened'"),
        ({"doors": {"state": "Locked"}}, "did you mean 'door'?"),
        ({"stolen": {}}, "body.stolen: expected exactly one of stolen, trackingPeriod, immobilization, got none"),
        ({"stolen": {"trackingPeriod": {"running": 1}}}, "body.stolen.trackingPeriod.running to be at least 5, got 1"),
        ({"charging": {"immediate": True, "preferences": {}}}, "expected preferences in a request of their own"),
        ({"charging": {}}, "expected immediate, schedule or preferences, got none of them; add one"),
        ({"charging": {"schedule": {}}}, "expected either nextDelayedTime or programs"),
        ({"preconditioning": {"airConditioning": {}}}, "expected immediate or programs, got neither"),
        ({"preconditioning": {"airConditioning": {"programs": [{"slot": 1}]}}}, "enabled, start, occurence"),
        ({"navigation": {"positions": []}}, "body.navigation.positions to be at least 1 item, got a list of 0"),
    ],
)
def test_a_wrong_remote_action_is_refused(body: dict[str, Any], words: str) -> None:
    assert words in refusal("send_remote", example("send_remote")[0], body)


def test_a_remote_without_body_is_refused() -> None:
    assert "expected a body, got none" in refusal("send_remote", example("send_remote")[0])


def test_the_next_page_is_asked_for_by_its_token_alone() -> None:
    params, _ = example("list_vehicles")
    page = PageLink(f"{BASE}/fleets/FLEET-1/vehicles?pageToken=abc&client_id=secret")
    assert BY_NAME["list_vehicles"].next_page(FLEET, params, page) == {"fid": "FLEET-1", "pageToken": "abc"}


def test_a_next_page_of_another_fleet_is_refused() -> None:
    with pytest.raises(ForeignOrigin):
        page = PageLink(f"{BASE}/fleets/FLEET-2/vehicles?pageToken=abc")
        BY_NAME["list_vehicles"].next_page(FLEET, example("list_vehicles")[0], page)
