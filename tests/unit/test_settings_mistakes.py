"""Each mistake in the settings is one sentence that names the place, what was expected and what came."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from settings import SettingsError, load

PARTY: dict[str, Any] = {"country_code": "IN", "party_id": "ABC", "role": "EMSP", "token": "token-of-abc"}
SUBSCRIPTION: dict[str, Any] = {"name": "fleet-1", "client_id": "app", "username": "MZP1", "password": "pass"}
HUB = {"PACELINE_HUB__BASE_URL": "https://hub.example/ocpi/2.2.1"}
API = {"PACELINE_STELLANTIS__B2B_BASE_URL": "https://api.example/connectedcar/v3"}


def problems(environ: Mapping[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(environ)
    return caught.value.problems


def the_problem(environ: Mapping[str, str]) -> str:
    found = problems(environ)
    assert len(found) == 1, found
    return found[0]


def with_party(**changes: Any) -> dict[str, str]:
    return {**HUB, "PACELINE_HUB__PARTIES": json.dumps([{**PARTY, **changes}])}


def with_subscription(**changes: Any) -> dict[str, str]:
    return {**API, "PACELINE_STELLANTIS__SUBSCRIPTIONS": json.dumps([{**SUBSCRIPTION, **changes}])}


@pytest.mark.parametrize("value", ["0", "513", "eight", "1.5", "true", "-1"])
def test_threads_are_a_whole_number_from_1_to_512(value: str) -> None:
    assert the_problem({"PACELINE_THREADS": value}) == (
        f"PACELINE_THREADS: expected a whole number from 1 to 512, got {value!r}."
    )


def test_an_unknown_variable_is_answered_with_the_nearest_name() -> None:
    assert the_problem({"PACELINE_HUB__BASEURL": "x"}) == (
        "PACELINE_HUB__BASEURL: unknown variable, did you mean PACELINE_HUB__BASE_URL?"
    )
    assert the_problem({"PACELINE_THRADS": "3"}) == "PACELINE_THRADS: unknown variable, did you mean PACELINE_THREADS?"


def test_a_name_near_to_nothing_is_still_a_mistake() -> None:
    assert the_problem({"PACELINE_QQQQQQ": "x"}) == "PACELINE_QQQQQQ: unknown variable."


def test_a_variable_for_the_port_is_a_mistake_unless_a_platform_set_it() -> None:
    assert the_problem({"PACELINE_PORT": "8080"}).startswith("PACELINE_PORT: unknown variable")


def test_the_same_variable_in_two_spellings_is_a_mistake() -> None:
    assert "got it twice" in the_problem({"PACELINE_THREADS": "3", "paceline_threads": "4"})


def test_every_mistake_is_reported_at_once() -> None:
    found = problems({"PACELINE_THREADS": "no", "PACELINE_THRADS": "3", "PACELINE_HUB__BASE_URL": "hub"})
    assert [problem.split(":")[0] for problem in found] == [
        "PACELINE_THRADS",
        "PACELINE_THREADS",
        "PACELINE_HUB__BASE_URL",
    ]


def test_the_error_counts_its_mistakes_and_lists_them() -> None:
    error = SettingsError(["one.", "two."])
    assert str(error) == "2 mistakes in the settings:\n- one.\n- two."


@pytest.mark.parametrize(
    "value",
    [
        "hub.example",
        "ftp://hub",
        "https://",
        "/ocpi",
        "https://h/?a=1",
        "https://h/#x",
        "https://h:99999",
        "https://[h",
    ],
)
def test_base_addresses_are_absolute_http_addresses(value: str) -> None:
    problem = the_problem({"PACELINE_HUB__BASE_URL": value})
    assert problem.startswith("PACELINE_HUB__BASE_URL: expected the absolute http or https address")


def test_production_wants_a_store_of_its_own() -> None:
    problem = the_problem({"PACELINE_ENVIRONMENT": "production"})
    assert problem.startswith(
        "PACELINE_REDIS_URL: expected the address of a store, since production refuses an embedded"
    )


def test_production_wants_https() -> None:
    base = {"PACELINE_ENVIRONMENT": "production", "PACELINE_REDIS_URL": "rediss://store:6390/0"}
    names = ("PACELINE_HUB__BASE_URL", "PACELINE_STELLANTIS__B2B_BASE_URL", "PACELINE_PUBLIC_URL")
    found = problems({**base, **dict.fromkeys(names, "http://somewhere")})
    assert found == [f"{name}: expected an https address in production, got 'http://somewhere'." for name in names]


def test_an_environment_has_one_of_five_names() -> None:
    assert the_problem({"PACELINE_ENVIRONMENT": "prod"}) == (
        "PACELINE_ENVIRONMENT: expected one of production, staging, development, test, demo, got 'prod'."
    )


@pytest.mark.parametrize("value", ["IND", "I", "1N", "Ñ1", ""])
def test_a_country_code_is_two_letters(value: str) -> None:
    assert the_problem(with_party(country_code=value)).startswith(
        "PACELINE_HUB__PARTIES[0].country_code: expected two letters"
    )


@pytest.mark.parametrize("value", ["AB", "ABCD", "A-C", 123])
def test_a_party_id_is_three_letters_or_digits(value: Any) -> None:
    assert the_problem(with_party(party_id=value)).startswith(
        "PACELINE_HUB__PARTIES[0].party_id: expected three letters"
    )


def test_a_role_is_one_of_ocpi() -> None:
    assert the_problem(with_party(role="DRIVER")) == (
        "PACELINE_HUB__PARTIES[0].role: expected one of the OCPI roles CPO, EMSP, HUB, NAP, NSP, SCSP, OTHER,"
        " got 'DRIVER'."
    )


def test_a_missing_token_is_named() -> None:
    party = {key: value for key, value in PARTY.items() if key != "token"}
    problem = the_problem({**HUB, "PACELINE_HUB__PARTIES": json.dumps([party])})
    assert problem.startswith("PACELINE_HUB__PARTIES[0].token: expected the token")
    assert problem.endswith("but it is missing.")


def test_a_misspelt_key_of_a_party_is_answered_with_the_nearest() -> None:
    assert the_problem(with_party(next_tokn="x")) == (
        "PACELINE_HUB__PARTIES[0].next_tokn: unknown key, did you mean next_token?"
    )


def test_a_token_encoding_is_raw_or_base64() -> None:
    problem = the_problem(with_party(token_encoding="b64"))
    assert problem.startswith('PACELINE_HUB__PARTIES[0].token_encoding: expected "raw" (sent as it is) or "base64"')


def test_a_token_with_its_header_word_is_refused() -> None:
    problem = the_problem(with_party(token="Token abcdef"))
    assert "visible ASCII without spaces (only the token itself), got a value of 12 characters" in problem


def test_a_token_file_must_exist_at_the_start(tmp_path: Path) -> None:
    file = tmp_path / "token"
    problem = the_problem(with_party(token={"file": str(file)}))
    assert problem == f"PACELINE_HUB__PARTIES[0].token: the file {file} cannot be read (no such file or directory)."


def test_a_token_file_must_not_be_empty_at_the_start(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("\n", encoding="utf-8")
    assert the_problem(with_party(token={"file": str(file)})).endswith(f"the file {file} is empty.")


def test_a_file_reference_has_one_key() -> None:
    assert 'text, or {"file": "path"} and nothing else' in the_problem(with_party(token={"path": "x"}))


def test_the_same_account_twice_is_a_mistake() -> None:
    parties = json.dumps([PARTY, {**PARTY, "country_code": "in", "party_id": "abc"}])
    assert the_problem({**HUB, "PACELINE_HUB__PARTIES": parties}) == (
        "PACELINE_HUB__PARTIES: expected every account once, got hub:IN-ABC 2 times."
    )


def test_the_same_subscription_name_twice_is_a_mistake() -> None:
    text = json.dumps([SUBSCRIPTION, {**SUBSCRIPTION, "username": "other"}])
    assert the_problem({**API, "PACELINE_STELLANTIS__SUBSCRIPTIONS": text}) == (
        "PACELINE_STELLANTIS__SUBSCRIPTIONS: expected every account once, got stellantis:fleet-1 2 times."
    )


def test_parties_without_the_address_of_their_hub_are_a_mistake() -> None:
    assert the_problem({"PACELINE_HUB__PARTIES": json.dumps([PARTY])}).startswith("PACELINE_HUB__BASE_URL: expected")


def test_subscriptions_without_the_address_of_their_api_are_a_mistake() -> None:
    problem = the_problem({"PACELINE_STELLANTIS__SUBSCRIPTIONS": json.dumps([SUBSCRIPTION])})
    assert problem.startswith("PACELINE_STELLANTIS__B2B_BASE_URL: expected")


def test_an_unknown_budget_is_answered_with_the_known_ones() -> None:
    problem = the_problem(with_party(limits={"token": {"limit": 1, "window_s": 1}}))
    assert "'token' is none of the names tokens, commands, locations, control, other, did you mean tokens?" in problem


@pytest.mark.parametrize(("field", "value"), [("limit", 0), ("limit", "many"), ("window_s", 0), ("window_s", -1.5)])
def test_a_limit_and_its_window_are_above_nothing(field: str, value: Any) -> None:
    problem = the_problem(with_party(limits={"tokens": {"limit": 1, "window_s": 1, field: value}}))
    assert problem.startswith(f"PACELINE_HUB__PARTIES[0].limits.tokens.{field}: expected")


def test_only_fleet_subscriptions_can_be_called_for_now() -> None:
    assert the_problem(with_subscription(kind="b2c")) == (
        'PACELINE_STELLANTIS__SUBSCRIPTIONS[0].kind: only the kind "b2b" (fleet owners) can be called for now,'
        ' "b2c" cannot.'
    )


def test_a_user_name_has_no_colon() -> None:
    problem = the_problem(with_subscription(username="MZ:P"))
    assert problem.endswith("username: expected a user name without a colon, got a value of 4 characters.")


@pytest.mark.parametrize(
    ("given", "lacks"), [("client_certificate", "client_key"), ("client_key", "client_certificate")]
)
def test_certificate_and_key_come_together(tmp_path: Path, given: str, lacks: str) -> None:
    file = tmp_path / "x.pem"
    file.write_text("pem", encoding="utf-8")
    assert the_problem(with_subscription(**{given: str(file)})).endswith(
        f"expected client_certificate and client_key together, got {given} without {lacks}."
    )


def test_certificate_files_must_exist(tmp_path: Path) -> None:
    missing = {name: str(tmp_path / name) for name in ("client_certificate", "client_key", "ca_bundle")}
    found = problems(with_subscription(**missing))
    assert [problem.split(": ")[0].rpartition(".")[2] for problem in found] == list(missing)
    assert all("cannot be read (no such file or directory)" in problem for problem in found)


@pytest.mark.parametrize("name", ["DELIVER__TOTAL_DEADLINE_S", "DELIVER__CONNECT_TIMEOUT_S", "BROKER__LEASE_S"])
@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "soon"])
def test_times_are_above_nothing(name: str, value: str) -> None:
    assert the_problem({f"PACELINE_{name}": value}).startswith(f"PACELINE_{name}: expected seconds above 0")


def test_a_deadline_of_an_operation_is_above_nothing() -> None:
    problem = the_problem({"PACELINE_FAIL__DEADLINES": '{"hub.authorize_token": 0}'})
    assert problem.startswith("PACELINE_FAIL__DEADLINES.hub.authorize_token: expected deadlines in seconds above 0")


def test_a_call_must_end_before_a_stopping_worker_is_killed() -> None:
    assert "below 28" in the_problem({"PACELINE_DELIVER__TOTAL_DEADLINE_S": "28"})


def test_connecting_cannot_take_longer_than_the_call() -> None:
    assert the_problem({"PACELINE_DELIVER__TOTAL_DEADLINE_S": "2"}) == (
        "PACELINE_DELIVER__CONNECT_TIMEOUT_S: expected at most PACELINE_DELIVER__TOTAL_DEADLINE_S (2), got 5."
    )


def test_a_lease_outlives_one_lost_renewal() -> None:
    assert the_problem({"PACELINE_BROKER__LEASE_S": "10"}) == (
        "PACELINE_BROKER__LEASE_S: expected more than twice PACELINE_BROKER__RENEW_S (5), to survive a lost renewal,"
        " got 10."
    )


def test_a_key_is_kept_as_long_as_its_result() -> None:
    problem = the_problem({"PACELINE_FAIL__RESULT_TTL_S": "90000"})
    assert problem.startswith("PACELINE_FAIL__KEY_TTL_S: expected at least PACELINE_FAIL__RESULT_TTL_S (90000)")


def test_a_cap_is_not_below_its_base() -> None:
    found = problems({"PACELINE_FAIL__BACKOFF_CAP_S": "1", "PACELINE_LIMITER__REFUSAL_BACKOFF_CAP_S": "0.5"})
    assert [problem.split(":")[0] for problem in found] == [
        "PACELINE_FAIL__BACKOFF_CAP_S",
        "PACELINE_LIMITER__REFUSAL_BACKOFF_CAP_S",
    ]


def test_normal_jobs_leave_no_more_free_than_bulk_jobs() -> None:
    assert the_problem({"PACELINE_LIMITER__RESERVE_NORMAL": "0.3"}).startswith(
        "PACELINE_LIMITER__RESERVE_NORMAL: expected"
    )


@pytest.mark.parametrize("value", ["A", "a_b", "seventeen-letters", "a b", "ä"])
def test_a_partition_is_short_and_plain(value: str) -> None:
    assert the_problem({"PACELINE_PARTITION": value}).startswith("PACELINE_PARTITION: expected 1 to 16 small letters")


def test_a_store_has_a_redis_address() -> None:
    for value in ("store:6390", "http://store", "redis://", "redis://store:port", "unix://"):
        assert the_problem({"PACELINE_REDIS_URL": value}).startswith("PACELINE_REDIS_URL: expected an address such as")


def test_modules_are_dotted_python_names() -> None:
    for value in ('["my tasks"]', "[]", '"tasks"', '["tasks."]'):
        assert the_problem({"PACELINE_MODULES": value}).startswith("PACELINE_MODULES")


def test_broken_json_is_reported_by_position() -> None:
    assert the_problem({"PACELINE_HUB__PARTIES": '[{"token": "abc" "role"}]'}) == (
        "PACELINE_HUB__PARTIES: expected JSON, it breaks off or goes wrong at line 1, column 18."
    )


def test_the_same_json_key_twice_is_a_mistake() -> None:
    assert "the same key twice" in the_problem({"PACELINE_BROKER__CAPS": '{"a": 1, "a": 2}'})


def test_json_that_is_too_deep_is_a_mistake_and_no_crash() -> None:
    assert "PACELINE_BROKER__CAPS: expected" in the_problem({"PACELINE_BROKER__CAPS": "[" * 100_000})


def test_an_index_without_the_items_before_it_is_a_mistake() -> None:
    assert "items before number 3" in problems({"PACELINE_HUB__PARTIES__3__TOKEN": "abc"})[0]


def test_a_mistake_in_toml_names_file_and_path(tmp_path: Path) -> None:
    file = tmp_path / "paceline.toml"
    file.write_text(
        "threads = 0\n[hub]\nbase_ur = 'x'\n[[hub.parties]]\nrole = 'EMSP'\ncountry_code = 'INX'\n", encoding="utf-8"
    )
    found = problems({"PACELINE_CONFIG": str(file)})
    assert f"{file}: threads: expected a whole number from 1 to 512, got 0." in found
    assert f"{file}: hub.base_ur: unknown key, did you mean base_url?" in found
    assert f"{file}: hub.parties[0].country_code: expected two letters (ISO 3166), such as IN, got 'INX'." in found


def test_broken_toml_is_reported_by_position(tmp_path: Path) -> None:
    file = tmp_path / "paceline.toml"
    file.write_text("threads = 8\nredis_url = redis://:secret@h\n", encoding="utf-8")
    assert the_problem({"PACELINE_CONFIG": str(file)}) == f"{file}: expected TOML, it goes wrong at line 2, column 13."


def test_a_missing_toml_file_is_a_mistake(tmp_path: Path) -> None:
    assert "cannot be read" in the_problem({"PACELINE_CONFIG": str(tmp_path / "absent.toml")})


def test_a_missing_secrets_folder_is_a_mistake(tmp_path: Path) -> None:
    problem = the_problem({"PACELINE_SECRETS_DIR": str(tmp_path / "absent")})
    assert problem.startswith("PACELINE_SECRETS_DIR: expected a readable folder")


def test_an_empty_secret_file_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "PACELINE_REDIS_URL").write_text("", encoding="utf-8")
    assert the_problem({"PACELINE_SECRETS_DIR": str(tmp_path)}).endswith(
        "expected a value for redis_url, but the file is empty."
    )


def test_a_secret_file_named_like_no_variable_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "paceline_redis_ur").write_text("x", encoding="utf-8")
    assert the_problem({"PACELINE_SECRETS_DIR": str(tmp_path)}).endswith("did you mean PACELINE_REDIS_URL?")


def test_one_secret_in_two_spellings_of_its_file_is_a_mistake(tmp_path: Path) -> None:
    for name in ("PACELINE_REDIS_URL", "paceline_redis_url"):
        (tmp_path / name).write_text("redis://store", encoding="utf-8")
    if len(list(tmp_path.iterdir())) < 2:
        pytest.skip("this file system does not tell the two names apart")
    assert "expected one file for PACELINE_REDIS_URL" in the_problem({"PACELINE_SECRETS_DIR": str(tmp_path)})


def test_a_secret_file_that_is_no_text_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "PACELINE_REDIS_URL").write_bytes(b"\xff\xfe")
    assert "is not UTF-8 text" in the_problem({"PACELINE_SECRETS_DIR": str(tmp_path)})


def test_bytes_that_are_no_text_are_a_mistake_wherever_they_come_from() -> None:
    assert the_problem({"PACELINE_VAR_DIR": "v\udce4r"}) == "PACELINE_VAR_DIR: expected UTF-8 text, got other bytes."
    assert "half of a character" in the_problem({"PACELINE_OBSERVE": '{"sentry_environment": "\\ud800"}'})
