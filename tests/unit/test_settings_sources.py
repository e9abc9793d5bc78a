"""Where settings come from, and which source wins."""

import copy
import json
import os
import pickle
from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from settings import Settings, SettingsError, load
from settings.catalogue import items_of, names_of
from settings.secret import SecretFile

PARTY = {"country_code": "IN", "party_id": "ABC", "role": "EMSP", "token": "token-of-abc"}
SUBSCRIPTION = {"name": "fleet-1", "client_id": "app", "username": "MZP1", "password": "pass"}


def written(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


def problems(environ: Mapping[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(environ)
    return caught.value.problems


def test_nothing_set_gives_working_defaults() -> None:
    settings = load({})
    assert (settings.environment, settings.threads, settings.partition, settings.modules) == (
        "development",
        8,
        "0",
        ("tasks",),
    )
    assert settings.redis_url is None
    assert settings.accounts() == {}


def test_the_defaults_are_the_documented_ones() -> None:
    s = load({})
    assert (s.broker.lease_s, s.broker.renew_s, s.broker.idle_poll_s, s.broker.lane_cap) == (15.0, 5.0, 5.0, None)
    assert (s.limiter.transit_bound_s, s.limiter.reserve_bulk, s.limiter.reserve_normal) == (5.0, 0.20, 0.05)
    assert (s.limiter.quota_advice_share, s.limiter.oldest_age_alert_s) == (0.9, 3600)
    assert (s.deliver.total_deadline_s, s.deliver.connect_timeout_s, s.deliver.max_body_bytes) == (25.0, 5.0, 8_388_608)
    assert (s.fail.attempts, s.fail.backoff_base_s, s.fail.backoff_cap_s) == (5, 2.0, 300.0)
    assert (s.fail.result_ttl_s, s.fail.dead_ttl_s, s.fail.key_ttl_s, s.fail.no_data) == (
        86_400,
        2_592_000,
        86_400,
        "done",
    )
    assert (s.fail.brake_count, s.fail.brake_window_s, s.fail.credential_probe_s) == (50, 60.0, 900.0)
    assert (s.observe.log_level, s.observe.personal_data, s.on_empty_store) == ("INFO", "mask", "probe")


def test_a_variable_fills_a_nested_field() -> None:
    assert load({"PACELINE_BROKER__LEASE_S": "30"}).broker.lease_s == 30.0


def test_lists_and_tables_come_as_json() -> None:
    settings = load(
        {"PACELINE_BROKER__CAPS": '{"hub.start_session": 4}', "PACELINE_MODULES": '["tasks", "more.tasks"]'}
    )
    assert settings.broker.caps == {"hub.start_session": 4}
    assert settings.modules == ("tasks", "more.tasks")


def test_a_variable_may_be_written_in_small_letters() -> None:
    assert load({"paceline_threads": "3"}).threads == 3


def test_an_empty_variable_counts_as_not_set() -> None:
    settings = load({"PACELINE_REDIS_URL": "", "PACELINE_THREADS": " ", "PACELINE_HUB__PARTIES": ""})
    assert (settings.redis_url, settings.threads, settings.hub.parties) == (None, 8, ())


def test_none_takes_an_optional_value_away() -> None:
    assert load({"PACELINE_LIMITER__OLDEST_AGE_ALERT_S": "none"}).limiter.oldest_age_alert_s is None


def test_variables_win_over_secret_files_and_these_over_toml(tmp_path: Path) -> None:
    toml = written(tmp_path, "p.toml", 'threads = 2\npartition = "toml"\non_empty_store = "wait"\n')
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    written(secrets, "PACELINE_THREADS", "3\n")
    written(secrets, "paceline_partition", "files")
    found = load({"PACELINE_CONFIG": toml, "PACELINE_SECRETS_DIR": str(secrets), "PACELINE_THREADS": "4"})
    assert (found.threads, found.partition, found.on_empty_store) == (4, "files", "wait")


def test_a_narrow_variable_replaces_one_key_of_a_whole_table(tmp_path: Path) -> None:
    toml = written(tmp_path, "p.toml", "[broker]\nlease_s = 40\nrenew_s = 4\n")
    settings = load(
        {"PACELINE_CONFIG": toml, "PACELINE_BROKER": '{"lease_s": 30}', "PACELINE_BROKER__IDLE_POLL_S": "1"}
    )
    assert (settings.broker.lease_s, settings.broker.renew_s, settings.broker.idle_poll_s) == (30, 4, 1)


def test_one_field_of_one_party_can_come_from_a_variable(tmp_path: Path) -> None:
    body = "[hub]\nbase_url = 'http://hub'\n[[hub.parties]]\ncountry_code = 'IN'\nparty_id = 'ABC'\nrole = 'EMSP'\n"
    toml = written(tmp_path, "p.toml", body)
    settings = load({"PACELINE_CONFIG": toml, "PACELINE_HUB__PARTIES__0__TOKEN": "from-variable"})
    token = settings.hub.parties[0].token
    assert not isinstance(token, SecretFile)
    assert token.get_secret_value() == "from-variable"


def test_a_secret_file_for_one_token_is_kept_as_a_reference(tmp_path: Path) -> None:
    party = {key: value for key, value in PARTY.items() if key != "token"}
    written(tmp_path, "paceline_hub__parties__0__token", "from-file\n")
    environ = {"PACELINE_HUB__BASE_URL": "http://hub", "PACELINE_HUB__PARTIES": json.dumps([party])}
    token = load({**environ, "PACELINE_SECRETS_DIR": str(tmp_path)}).hub.parties[0].token
    assert isinstance(token, SecretFile)
    assert token.read() == "from-file"


def test_a_whole_list_in_a_secret_file_leaves_its_secrets_there(tmp_path: Path) -> None:
    written(tmp_path, "PACELINE_HUB__PARTIES", json.dumps([PARTY]))
    settings = load({"PACELINE_HUB__BASE_URL": "http://hub", "PACELINE_SECRETS_DIR": str(tmp_path)})
    token = settings.hub.parties[0].token
    assert isinstance(token, SecretFile)
    written(tmp_path, "PACELINE_HUB__PARTIES", json.dumps([{**PARTY, "party_id": "XYZ"}, {**PARTY, "token": "newer"}]))
    assert token.read() == "newer"


def test_a_token_can_name_its_file(tmp_path: Path) -> None:
    file = written(tmp_path, "token", "in-a-file\n")
    parties = json.dumps([{**PARTY, "token": {"file": file}}])
    token = load({"PACELINE_HUB__BASE_URL": "http://hub", "PACELINE_HUB__PARTIES": parties}).hub.parties[0].token
    assert isinstance(token, SecretFile)
    assert (token.path, token.read()) == (Path(file), "in-a-file")


def test_a_redis_address_may_come_from_a_secret_file(tmp_path: Path) -> None:
    written(tmp_path, "paceline_redis_url", "redis://:pw@store:6390/0\n")
    address = load({"PACELINE_SECRETS_DIR": str(tmp_path)}).redis_url
    assert address is not None
    assert address.get_secret_value() == "redis://:pw@store:6390/0"


def test_files_of_other_programs_in_the_secrets_folder_are_left_alone(tmp_path: Path) -> None:
    written(tmp_path, "tls.key", "x")
    (tmp_path / "..data").mkdir()
    assert load({"PACELINE_SECRETS_DIR": str(tmp_path)}).threads == 8


def test_the_process_environment_is_read_when_nothing_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PACELINE_THREADS", "5")
    assert load().threads == 5


def test_nothing_of_the_process_environment_leaks_into_a_given_mapping(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"THREADS": "5", "THRADS": "5", "HUB__BASE_URL": "nonsense", "CONFIG": "/nowhere"}.items():
        monkeypatch.setenv(f"PACELINE_{name}", value)
    settings = load({})
    assert (settings.threads, settings.hub.base_url) == (8, None)
    assert os.environ["PACELINE_THREADS"] == "5"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PACELINE_TEST_ANYTHING", "1"),
        ("PACELINE_SERVICE_HOST", "10.0.0.1"),
        ("PACELINE_WEB_SERVICE_PORT_HTTP", "80"),
        ("PACELINE_PORT", "tcp://10.0.0.1:80"),
        ("PACELINE_PORT_80_TCP_ADDR", "10.0.0.1"),
    ],
)
def test_names_that_a_platform_sets_are_no_mistake(name: str, value: str) -> None:
    assert load({name: value}).threads == 8


def test_every_setting_has_a_variable_that_reaches_it() -> None:
    free_text = {"PACELINE_VAR_DIR", "PACELINE_OBSERVE__SENTRY_ENVIRONMENT"}
    for name in names_of(Settings):
        variable = "PACELINE_" + "__".join(str(part).upper() for part in name.path)
        if name.kind == "section" or variable in free_text:
            assert load({variable: "{}"}) != load({}) or name.kind == "section"
        else:
            found = problems({variable: "@@ ["})
            assert [problem.split(":")[0] for problem in found] == [variable]


def test_a_stronger_list_keeps_what_it_says_and_a_weaker_file_fills_its_gaps(tmp_path: Path) -> None:
    second = {**PARTY, "party_id": "XYZ"}
    del second["token"]
    written(tmp_path, "paceline_hub__parties__0__token", "weaker")
    written(tmp_path, "paceline_hub__parties__1__token", "fills")
    environ = {"PACELINE_HUB__BASE_URL": "http://hub", "PACELINE_HUB__PARTIES": json.dumps([PARTY, second])}
    first, other = load({**environ, "PACELINE_SECRETS_DIR": str(tmp_path)}).hub.parties
    assert not isinstance(first.token, SecretFile)
    assert first.token.get_secret_value() == "token-of-abc"
    assert isinstance(other.token, SecretFile)
    assert other.token.read() == "fills"


def test_every_setting_says_in_words_what_it_expects() -> None:
    models: list[type[BaseModel]] = [Settings, *items_of(Settings).values()]
    models += [
        type(getattr(load({}), key)) for key in ("hub", "stellantis", "broker", "limiter", "deliver", "fail", "observe")
    ]
    assert [f"{m.__name__}.{k}" for m in models for k, field in m.model_fields.items() if not field.description] == []


def test_settings_cannot_be_changed_at_any_depth() -> None:
    settings = load({"PACELINE_BROKER__CAPS": '{"a": 1}', "PACELINE_HUB__BASE_URL": "http://hub"})
    with pytest.raises(ValidationError):
        settings.threads = 9  # type: ignore[misc]
    with pytest.raises(ValidationError):
        settings.hub.base_url = "http://other"  # type: ignore[misc]
    with pytest.raises(TypeError, match="frozen"):
        settings.broker.caps["a"] = 2
    with pytest.raises(TypeError, match="frozen"):
        settings.broker.caps.update(a=2)


def test_settings_copy_pickle_compare_and_hash() -> None:
    environ = {"PACELINE_BROKER__CAPS": '{"a": 1}', "PACELINE_HUB__BASE_URL": "http://hub/"}
    settings = load({**environ, "PACELINE_HUB__PARTIES": json.dumps([{**PARTY, "limits": {}}])})
    for twin in (copy.deepcopy(settings), pickle.loads(pickle.dumps(settings))):
        assert twin == settings
        assert hash(twin) == hash(settings)


def test_addresses_lose_their_trailing_slash() -> None:
    assert (
        load({"PACELINE_HUB__BASE_URL": "https://hub.example/ocpi/2.2.1/"}).hub.base_url
        == "https://hub.example/ocpi/2.2.1"
    )


def test_a_folder_is_the_checkouts_unless_its_whole_path_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    checkout = Path(__file__).resolve().parents[2]
    monkeypatch.chdir(tmp_path)
    assert load({}).var_dir == checkout / "var"
    assert load({"PACELINE_VAR_DIR": "here/or/there"}).var_dir == checkout / "here/or/there"
    assert load({"PACELINE_VAR_DIR": str(tmp_path)}).var_dir == tmp_path
