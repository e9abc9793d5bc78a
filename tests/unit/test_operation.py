"""The row type: what it refuses, in which words, and the request it builds. Rows here are made for the tests."""

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from settings import Account
from worker.accept.fields import Fields, PathId, Personal, Text, UtcTime
from worker.accept.operation import Operation, account_for, find, operations, register
from worker.errors import PacelineError, Refused


def account(name: str = "hub:IN-ABC", role: str | None = "EMSP", api: Any = "hub") -> Account:
    return Account(
        name=name,
        api=api,
        role=role,
        country_code="IN",
        party_id=name[-3:],
        base_url="https://api.example/v1/",
        budgets={},
        headers=False,
    )


US = account()


class Params(Fields):
    country_code: str
    party_id: str
    card: Annotated[PathId, Personal()]
    kinds: list[Literal["a", "b"]] | None = None
    since: UtcTime | None = None
    limit: Annotated[int, Field(ge=1, le=60)] | None = None
    deep: bool | None = None


class Owner(Fields):
    names: Annotated[list[Text], Personal(), Field(max_length=2)] | None = None
    pin: Annotated[Annotated[str, Field(pattern="^[0-9]{4}$", description="four digits")] | None, Personal()] = None


class Body(Fields):
    owner: Owner
    response_url: str | None = None


PARAMS = {"country_code": "IN", "party_id": "ABC", "card": "0001"}


def operation(**changes: Any) -> Operation:
    values: dict[str, Any] = {
        "name": "hub.test_card",
        "api": "hub",
        "method": "PUT",
        "path": "/cards/{country_code}/{party_id}/{card}",
        "budget": "other",
        "priority": "normal",
        "repeatable": True,
        "why": "a test",
        "deadline_s": 60,
        "params": Params,
        "doc": "none",
        "example": (PARAMS, None),
    }
    return Operation(**(values | changes))


def refusal(op: Operation, params: Any, body: Mapping[str, Any] | None = None, by: Account = US) -> str:
    with pytest.raises(Refused) as caught:
        op.check(by, params, body)
    assert caught.value.__cause__ is None, "the cause would show the values"
    text = str(caught.value)
    assert text.startswith(f"{op.name}: ")
    assert text.endswith((".", ".)"))
    assert "\n" not in text
    return text


def test_checked_values_are_json_in_the_vendors_names_and_checking_them_again_changes_nothing() -> None:
    given_values = {**PARAMS, "card": 12, "since": "2026-01-31T10:00:00+01:00", "limit": "5"}
    checked, body = operation().check(US, given_values)
    assert checked == {**PARAMS, "card": "12", "since": "2026-01-31T09:00:00Z", "limit": 5}
    assert body is None
    assert operation().check(US, checked) == (checked, None)


def test_parameters_may_be_left_out_altogether_where_none_is_required() -> None:
    class Nothing(Fields):
        pass

    assert operation(path="/cards", params=Nothing).check(US) == ({}, None)


def test_the_request_has_path_query_body_and_headers_and_nothing_else() -> None:
    op = operation(body=Body, headers=lambda by: {"From": by.name})
    params, body = op.check(
        US, {**PARAMS, "kinds": ["a", "b"], "limit": 5, "deep": True}, {"owner": {}, "response_url": "https://me/x"}
    )
    spec = op.request(US, params, body)
    assert dataclasses.asdict(spec) == {
        "method": "PUT",
        "url": "https://api.example/v1/cards/IN/ABC/0001",
        "query": [("kinds", "a"), ("kinds", "b"), ("limit", "5"), ("deep", "true")],
        "json": {"owner": {}, "response_url": "https://me/x"},
        "headers": {"From": "hub:IN-ABC"},
    }


def test_a_response_url_is_filled_in_when_the_body_has_none() -> None:
    op = operation(body=Body)
    assert op.wants_response_url
    spec = op.request(US, PARAMS, {"owner": {}}, response_url="https://me/secret")
    assert spec.json == {"owner": {}, "response_url": "https://me/secret"}


def test_a_response_url_in_the_body_wins() -> None:
    body = {"owner": {}, "response_url": "https://theirs"}
    assert operation(body=Body).request(US, PARAMS, body, response_url="https://ours").json == body


def test_a_command_without_any_response_url_names_the_setting_to_mend_it() -> None:
    with pytest.raises(Refused, match="PACELINE_PUBLIC_URL"):
        operation(body=Body).request(US, PARAMS, {"owner": {}})


def test_the_body_handed_in_is_not_changed() -> None:
    body: dict[str, Any] = {"owner": {}}
    operation(body=Body).request(US, PARAMS, body, response_url="https://me")
    assert body == {"owner": {}}


def test_an_account_of_the_other_api_is_refused() -> None:
    text = refusal(operation(), PARAMS, by=account("stellantis:fleet-1", None, "stellantis"))
    assert text == (
        "hub.test_card: expected an account of the hub API, got stellantis:fleet-1; "
        "choose one whose name starts with 'hub:'."
    )


def test_a_role_the_operation_is_not_for_is_refused() -> None:
    assert refusal(operation(role="CPO"), PARAMS) == (
        "hub.test_card: expected an account with the role CPO, got hub:IN-ABC with the role EMSP; "
        "only a CPO may call it, so choose such an account."
    )


def test_another_party_in_a_path_that_names_us_is_refused() -> None:
    op = operation(path_names_us=True)
    assert refusal(op, {**PARAMS, "party_id": "XYZ"}) == (
        "hub.test_card: expected params.country_code and params.party_id to name the calling party IN-ABC, "
        "got IN-XYZ; correct them or choose the account of IN-XYZ."
    )


def test_a_party_is_compared_without_case() -> None:
    checked, _ = operation(path_names_us=True).check(US, {**PARAMS, "country_code": "in", "party_id": "abc"})
    assert checked["party_id"] == "abc"


def test_another_party_is_welcome_where_the_path_does_not_name_us() -> None:
    assert operation().check(US, {**PARAMS, "party_id": "XYZ"})[0]["party_id"] == "XYZ"


def test_an_unknown_parameter_is_answered_with_the_nearest_known_one() -> None:
    assert refusal(operation(), {**PARAMS, "Limits": 3}) == (
        "hub.test_card: params.Limits is not known; did you mean 'limit'? known names are country_code, party_id, "
        "card, kinds, since, limit, deep; rename it or leave it out."
    )


def test_a_misspelt_required_parameter_is_not_called_missing_as_well() -> None:
    text = refusal(operation(), {"country_code": "IN", "party_id": "ABC", "cart": "0001"})
    assert "params.cart is not known; did you mean 'card'?" in text
    assert "got nothing" not in text


def test_everything_that_is_wrong_is_told_at_once() -> None:
    text = refusal(operation(), {"country_code": "IN", "party_id": "ABC", "colour": "red", "size": 3})
    assert text.startswith("hub.test_card: params.colour is not known;")
    assert " Also: params.size is not known;" in text
    assert text.endswith(" Also: expected params.card, got nothing; add it.")
    many = refusal(operation(), {**PARAMS, **{f"odd{n}": n for n in range(8)}})
    assert many.count("is not known") == 5 and many.endswith("(3 more to mend after these.)")


def test_credentials_among_the_parameters_are_refused() -> None:
    assert "Paceline adds the credentials of the account itself" in refusal(operation(), {**PARAMS, "client_id": "x"})


def test_a_missing_parameter_says_what_to_add() -> None:
    text = refusal(operation(), {"country_code": "IN", "party_id": "ABC"})
    assert text == "hub.test_card: expected params.card, got nothing; add it."


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("limit", 61, "expected params.limit to be at most 60, got 61; correct the value."),
        ("limit", 0, "expected params.limit to be at least 1, got 0; correct the value."),
        ("limit", "many", "expected params.limit to be a valid integer, got 'many'; correct the value."),
        ("kinds", ["c"], "expected params.kinds.0 to be one of a, b, got 'c'; correct the value."),
        ("kinds", "a", "expected params.kinds to be a valid list, got 'a'; correct the value."),
        (
            "since",
            "soon",
            "expected params.since to be a time like 2026-01-31T09:30:00Z, got 'soon'; correct the value.",
        ),
        ("since", 17, "expected params.since to be a time like 2026-01-31T09:30:00Z, got 17; correct the value."),
        ("country_code", {"a": 1}, "expected params.country_code to be a valid string, got an object; correct"),
        ("party_id", None, "expected params.party_id to be a valid string, got null; correct the value."),
    ],
)
def test_a_wrong_value_is_answered_with_what_was_expected_and_what_came(name: str, value: Any, words: str) -> None:
    assert refusal(operation(), {**PARAMS, name: value}).startswith(f"hub.test_card: {words}")


def test_a_long_value_is_cut() -> None:
    text = refusal(operation(), {**PARAMS, "since": "x" * 5000})
    assert "(5000 characters)" in text
    assert len(text) < 300


@pytest.mark.parametrize(
    "card", ["secret-1/2", "secret-1..", "secret-1\\x", "secret-1\r\nX: y", " secret-1", "secret-1\x00"]
)
def test_an_id_that_could_leave_its_place_in_the_path_is_refused_without_being_shown(card: str) -> None:
    text = refusal(operation(), {**PARAMS, "card": card})
    assert "secret-1" not in text
    assert "personal, not shown" in text


@pytest.mark.parametrize("card", ["", ".", "..", "\x7f", "\ud800"])
def test_a_degenerate_id_is_refused(card: str) -> None:
    assert "params.card" in refusal(operation(), {**PARAMS, "card": card})


@pytest.mark.parametrize(
    "owner", [{"names": ["Ada Lovelace ", "B"]}, {"names": "Ada Lovelace"}, {"pin": "Ada Lovelace"}, "Ada Lovelace "]
)
def test_a_personal_value_deep_in_a_body_is_never_shown(owner: Any) -> None:
    text = refusal(operation(body=Body), PARAMS, {"owner": owner})
    assert "body.owner" in text
    if isinstance(owner, dict):
        assert "Ada" not in text


def test_a_pattern_is_explained_by_the_fields_own_words() -> None:
    text = refusal(operation(body=Body), PARAMS, {"owner": {"pin": "12"}})
    assert "expected body.owner.pin to be four digits, got a value of 2 characters (personal, not shown)" in text


def test_a_body_where_none_is_expected_is_refused() -> None:
    assert refusal(operation(), PARAMS, {"a": 1}) == ("hub.test_card: expected no body, got one; leave it out.")


def test_a_missing_body_is_refused_with_what_it_needs() -> None:
    assert refusal(operation(body=Body), PARAMS) == "hub.test_card: expected a body, got none; add one with owner."


def test_a_body_may_be_left_out_where_the_row_says_so() -> None:
    op = operation(body=Owner, body_required=False)
    assert op.check(US, PARAMS) == (PARAMS, None)
    assert op.request(US, PARAMS).json is None


def test_parameters_that_are_no_object_are_refused() -> None:
    assert refusal(operation(), ["card"]) == ("hub.test_card: expected params to be an object, got list; correct it.")


def test_a_rows_own_check_can_refuse() -> None:
    text = refusal(operation(also=lambda by, params, body: f"{by.name} may not use {len(params)}."), PARAMS)
    assert text == "hub.test_card: hub:IN-ABC may not use 3."


def test_a_message_of_an_older_version_cannot_smuggle_a_path_either() -> None:
    with pytest.raises(Refused, match="can stand in a path"):
        operation().request(US, {**PARAMS, "card": ".."})


@given(card=st.text(max_size=40))
def test_whatever_id_is_accepted_stays_one_segment_of_the_path(card: str) -> None:
    op = operation()
    try:
        params, _ = op.check(US, {**PARAMS, "card": card})
    except Refused:
        return
    parts = urlsplit(op.request(US, params).url)
    assert (parts.scheme, parts.netloc, parts.query, parts.fragment) == ("https", "api.example", "", "")
    segments = parts.path.split("/")
    assert segments[:5] == ["", "v1", "cards", "IN", "ABC"]
    assert len(segments) == 6
    assert unquote(segments[5]) == card
    assert segments[5].isascii()


@given(card=st.text(max_size=40))
def test_even_an_unchecked_id_stays_one_segment_of_the_path(card: str) -> None:
    try:
        url = operation().request(US, {**PARAMS, "card": card}).url
    except (Refused, UnicodeEncodeError):
        return
    assert urlsplit(url).path.count("/") == 5
    assert unquote(urlsplit(url).path.rsplit("/", 1)[1]) == card


def test_the_schema_describes_parameters_and_body() -> None:
    schema = operation(body=Body).json_schema()
    assert schema["params"]["required"] == ["country_code", "party_id", "card"]
    assert schema["body"]["properties"]["response_url"]
    assert operation().json_schema()["body"] is None


def test_a_row_describes_itself_for_the_listing() -> None:
    row = operation(role="CPO").describe()
    assert list(row)[:10] == [
        "name", "api", "method", "path", "budget", "priority", "repeatable", "why", "deadline_s", "role",
    ]  # fmt: skip
    assert row["example"] == {"params": PARAMS, "body": None}


def test_the_same_row_may_be_registered_twice_and_another_of_that_name_may_not() -> None:
    op = operation(name="hub.only_for_this_test")
    try:
        assert register(op) is register(op)
        with pytest.raises(ValueError, match="two different operations"):
            register(operation(name="hub.only_for_this_test", budget="tokens"))
    finally:
        del operations["hub.only_for_this_test"]


def test_an_unknown_operation_is_answered_with_the_nearest_one() -> None:
    op = operation(name="hub.only_for_this_test")
    register(op)
    try:
        assert find("hub.only_for_this_test") is op
        with pytest.raises(Refused, match=r"did you mean 'hub\.only_for_this_test'\?"):
            find("hub.only_for_this_tset")
    finally:
        del operations["hub.only_for_this_test"]


def test_an_unknown_account_is_answered_with_those_of_its_api() -> None:
    accounts = {a.name: a for a in (US, account("hub:IN-DEF"), account("stellantis:f", None, "stellantis"))}
    assert account_for(accounts, "hub:IN-ABC") is US
    with pytest.raises(Refused) as caught:
        account_for(accounts, "hub:IN-ABX")
    assert str(caught.value) == (
        "expected a configured account, got 'hub:IN-ABX'; did you mean 'hub:IN-ABC'? "
        "known accounts: hub:IN-ABC, hub:IN-DEF."
    )
    with pytest.raises(Refused, match=r"known accounts: stellantis:f\."):
        account_for(accounts, "fleet", "stellantis")


def test_without_any_account_the_refusal_says_so() -> None:
    with pytest.raises(Refused, match=r"PACELINE_CONFIG.*\.env\.example.*python -m worker sandbox") as caught:
        account_for({}, "hub:IN-ABC")
    assert "PACELINE" not in caught.value.over_http and "whoever runs this service" in caught.value.over_http


def test_a_refusal_is_one_of_our_own_errors() -> None:
    assert issubclass(Refused, PacelineError)
