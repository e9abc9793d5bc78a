"""The hub's rows: the exact request of each, and every refusal that keeps a useless call from leaving."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settings import Account
from tasks.hub.rows import ROWS
from worker.accept.operation import Operation
from worker.accept.paging import PageLink
from worker.errors import Refused

BASE = "https://hub.example/ocpi/2.2.1"
EMSP = Account("hub:IN-ABC", "hub", "EMSP", "IN", "ABC", BASE, {}, False)
CPO = Account("hub:IN-CPO", "hub", "CPO", "IN", "CPO", BASE, {}, False)
BY_NAME = {row.name: row for row in ROWS}
FROM_ABC = {"OCPI-from-country-code": "IN", "OCPI-from-party-id": "ABC"}
FROM_CPO = {"OCPI-from-country-code": "IN", "OCPI-from-party-id": "CPO"}
RESULT_URL = "https://us.example/v1/command-results/job/secret"


def caller(row: Operation) -> Account:
    return CPO if row.role == "CPO" else EMSP


def example(name: str) -> tuple[dict[str, Any], Any]:
    return copy.deepcopy(BY_NAME[name].example)


def refusal(name: str, params: dict[str, Any], body: Any = None, by: Account | None = None) -> str:
    row = BY_NAME[name]
    with pytest.raises(Refused) as caught:
        row.check(by or caller(row), params, body)
    return str(caught.value)


REQUESTS = {
    "hub.authorize_token": ("PUT", "/tokens/IN/ABC/012345678/authorize", [], FROM_ABC),
    "hub.start_session": ("POST", "/commands/START_SESSION", [], FROM_ABC),
    "hub.stop_session": ("POST", "/commands/STOP_SESSION", [], FROM_ABC),
    "hub.reserve_now": ("POST", "/commands/RESERVE_NOW", [], FROM_ABC),
    "hub.cancel_reservation": ("POST", "/commands/CANCEL_RESERVATION", [], FROM_ABC),
    "hub.list_locations": ("GET", "/locations", [("limit", "50"), ("date_from", "2026-01-01T00:00:00Z")], FROM_ABC),
    "hub.get_location": ("GET", "/locations/IN/CPO/LOC-0001", [], FROM_ABC),
    "hub.get_client_info": ("GET", "/hubclientinfo/IN/CPO", [], {}),
    "hub.put_session": ("PUT", "/sessions/IN/CPO/SESSION-1", [], FROM_CPO),
    "hub.post_cdr": ("POST", "/cdrs", [], FROM_CPO),
}
COMMANDS = ("hub.start_session", "hub.stop_session", "hub.reserve_now", "hub.cancel_reservation")


@pytest.mark.parametrize("name", REQUESTS)
def test_each_operation_sends_exactly_its_documented_request(name: str) -> None:
    row = BY_NAME[name]
    params, body = row.check(caller(row), *row.example)
    spec = row.request(caller(row), params, body, response_url=RESULT_URL)
    method, path, query, headers = REQUESTS[name]
    assert (spec.method, spec.url, spec.query, spec.headers) == (method, BASE + path, query, headers)
    given_body = row.example[1]
    assert spec.json == ({**(given_body or {}), "response_url": RESULT_URL} if name in COMMANDS else given_body)


def test_every_row_has_a_request_in_this_test() -> None:
    assert set(REQUESTS) == set(BY_NAME)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_checking_twice_changes_nothing(row: Operation) -> None:
    once = row.check(caller(row), *row.example)
    assert row.check(caller(row), *once) == once == row.example


def test_commands_share_their_budget_and_are_never_repeated() -> None:
    for name in COMMANDS:
        row = BY_NAME[name]
        assert (row.budget, row.repeatable, row.deadline_s, row.meaning) == ("commands", False, 60, "command")
        assert row.wants_response_url


def test_authorization_is_urgent_and_short_lived() -> None:
    row = BY_NAME["hub.authorize_token"]
    assert (row.budget, row.priority, row.deadline_s, row.meaning) == ("tokens", "urgent", 15, "authorization")


def test_sessions_and_cdrs_live_for_a_day_and_are_for_cpos() -> None:
    for name in ("hub.put_session", "hub.post_cdr"):
        assert (BY_NAME[name].role, BY_NAME[name].deadline_s) == ("CPO", 86400)


def test_an_authorization_needs_no_location() -> None:
    params, _ = example("hub.authorize_token")
    assert BY_NAME["hub.authorize_token"].check(EMSP, params) == (params, None)


def test_a_numeric_token_uid_is_an_id_like_any_other() -> None:
    params, _ = BY_NAME["hub.authorize_token"].check(EMSP, {"country_code": "IN", "party_id": "ABC", "token_uid": 42})
    assert params["token_uid"] == "42"


@pytest.mark.parametrize("name", ["hub.put_session", "hub.post_cdr"])
def test_an_emsp_may_not_call_what_is_for_cpos(name: str) -> None:
    text = refusal(name, *example(name), by=EMSP)
    assert "expected an account with the role CPO, got hub:IN-ABC with the role EMSP" in text


@pytest.mark.parametrize("name", ["hub.put_session", "hub.post_cdr"])
def test_a_charge_without_cdr_token_is_refused_with_the_reason(name: str) -> None:
    params, body = example(name)
    del body["cdr_token"]
    text = refusal(name, params, body)
    assert text.startswith(f"{name}: expected body.cdr_token (country_code, party_id, uid, type and contract_id")
    assert text.endswith("the hub delivers to its eMSP), got nothing; add it.")


@pytest.mark.parametrize("name", ["hub.put_session", "hub.post_cdr"])
def test_a_cdr_token_is_never_shown(name: str) -> None:
    params, body = example(name)
    body["cdr_token"]["uid"] = "very-private-uid" * 4
    body["cdr_token"]["contract_id"] = "very-private-contract" * 4
    assert "very-private" not in refusal(name, params, body)


def test_a_session_of_another_party_in_the_path_is_refused() -> None:
    params, body = example("hub.put_session")
    assert "to name the calling party IN-CPO, got IN-XYZ" in refusal(
        "hub.put_session", {**params, "party_id": "XYZ"}, body
    )


@pytest.mark.parametrize("name", ["hub.put_session", "hub.post_cdr"])
def test_a_charge_of_another_party_in_the_body_is_refused(name: str) -> None:
    params, body = example(name)
    text = refusal(name, params, {**body, "party_id": "XYZ"})
    assert "expected body.country_code and body.party_id to name the calling party IN-CPO, got IN-XYZ" in text


def test_a_session_is_compared_with_its_path_without_case() -> None:
    params, body = example("hub.put_session")
    params |= {"session_id": "session-1", "party_id": "cpo"}
    assert BY_NAME["hub.put_session"].check(CPO, params, body) == (params, body)


def test_another_session_in_the_body_than_in_the_path_is_refused() -> None:
    params, body = example("hub.put_session")
    text = refusal("hub.put_session", params, {**body, "id": "SESSION-2"})
    assert "expected body.id to be params.session_id" in text


def test_the_hubs_own_short_token_is_accepted() -> None:
    body = {"token": {"uid": "1", "type": "RFID", "contract_id": "C"}, "location_id": "LOC-0001"}
    assert BY_NAME["hub.start_session"].check(EMSP, {}, body) == ({}, body)


def test_a_token_between_short_and_full_is_refused_with_what_is_missing() -> None:
    token = {"uid": "private-1", "type": "RFID", "contract_id": "private-2", "valid": True}
    text = refusal("hub.start_session", {}, {"token": token, "location_id": "LOC-0001"})
    assert text == (
        "hub.start_session: body.token: expected the full OCPI token or the hub's short form (uid, type, contract_id), "
        "got one without country_code, party_id, issuer, whitelist, last_updated; add what is missing."
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("type", "CARD"),
        ("whitelist", "SOMETIMES"),
        ("uid", "u" * 37),
        ("contract_id", "c" * 37),
        ("visual_number", "v" * 65),
        ("valid", "perhaps"),
        ("last_updated", "today"),
        ("default_profile_type", "SLOW"),
        ("language", "english"),
        ("energy_contract", {"supplier": "x"}),
        ("country_code", "IND"),
    ],
)
def test_a_token_with_a_wrong_field_is_refused_by_its_name(field: str, value: Any) -> None:
    params, body = example("hub.start_session")
    body["token"][field] = value
    assert f"body.token.{field}" in refusal("hub.start_session", params, body)


def test_a_connector_without_its_evse_is_refused() -> None:
    params, body = example("hub.start_session")
    del body["evse_uid"]
    assert "expected evse_uid together with connector_id" in refusal("hub.start_session", params, body)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_response_url_that_is_no_address_is_refused(name: str) -> None:
    params, body = example(name)
    assert "body.response_url" in refusal(name, params, {**body, "response_url": "not an address"})


@pytest.mark.parametrize("name", [n for n, row in BY_NAME.items() if row.body is None])
def test_a_body_is_refused_where_the_hub_takes_none(name: str) -> None:
    assert "expected no body" in refusal(name, example(name)[0], {"a": 1})


@pytest.mark.parametrize("name", [n for n, row in BY_NAME.items() if row.body is not None and row.body_required])
def test_a_missing_body_is_refused(name: str) -> None:
    assert "expected a body, got none" in refusal(name, example(name)[0])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("status", "DONE"),
        ("kwh", -1),
        ("kwh", float("nan")),
        ("currency", "rupees"),
        ("auth_method", "APP"),
        ("charging_periods", [{"start_date_time": "2026-01-31T09:30:00Z", "dimensions": []}]),
        ("charging_periods", [{"start_date_time": "2026-01-31T09:30:00Z", "dimensions": [{"type": "X", "volume": 1}]}]),
        ("total_cost", {"incl_vat": 1}),
    ],
)
def test_a_session_with_a_wrong_field_is_refused_by_its_name(field: str, value: Any) -> None:
    params, body = example("hub.put_session")
    assert f"body.{field}" in refusal("hub.put_session", params, {**body, field: value})


def test_a_cdr_passes_on_its_tariffs_and_signed_data_unchanged() -> None:
    params, body = example("hub.post_cdr")
    body["tariffs"] = [{"id": "T1", "elements": [{"price_components": [{"type": "ENERGY", "price": 18.0}]}]}]
    body["signed_data"] = {
        "encoding_method": "OCMF",
        "signed_values": [{"nature": "Start", "plain_data": "a", "signed_data": "b"}],
    }
    assert BY_NAME["hub.post_cdr"].check(CPO, params, body) == (params, body)


@pytest.mark.parametrize(
    ("field", "value"),
    [("charging_periods", []), ("cdr_location", {}), ("total_energy", None), ("tariffs", ["T1"]), ("id", "x" * 40)],
)
def test_a_cdr_with_a_wrong_field_is_refused_by_its_name(field: str, value: Any) -> None:
    params, body = example("hub.post_cdr")
    assert f"body.{field}" in refusal("hub.post_cdr", params, {**body, field: value})


def test_the_next_page_of_locations_keeps_the_filter() -> None:
    page = PageLink(f"{BASE}/locations?offset=50&limit=50")
    assert BY_NAME["hub.list_locations"].next_page(EMSP, {"limit": 50, "date_from": "2026-01-01T00:00:00Z"}, page) == {
        "offset": 50, "limit": 50, "date_from": "2026-01-01T00:00:00Z",
    }  # fmt: skip


@given(uid=st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=36))
def test_an_accepted_token_uid_never_changes_the_path(uid: str) -> None:
    row = BY_NAME["hub.authorize_token"]
    try:
        params, _ = row.check(EMSP, {"country_code": "IN", "party_id": "ABC", "token_uid": uid})
    except Refused as refused:
        assert "/" in uid or "\\" in uid or ".." in uid or uid == ".", refused
        return
    url = row.request(EMSP, params).url
    assert url.startswith(f"{BASE}/tokens/IN/ABC/")
    assert url.removeprefix(f"{BASE}/tokens/IN/ABC/").count("/") == 1
    assert url.endswith("/authorize")
