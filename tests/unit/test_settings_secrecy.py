"""No secret leaves the settings: not in an error, not in a repr, not in a dump."""

import json
import logging
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from settings import Settings, SettingsError, load

PLANTED = "pl4nt3d-Zq7wKx9-0f-0urs"
PARTY: dict[str, Any] = {
    "country_code": "IN",
    "party_id": "ABC",
    "role": "EMSP",
    "token": PLANTED,
    "next_token": PLANTED,
}
SUBSCRIPTION: dict[str, Any] = {"name": "fleet-1", "client_id": "app", "username": "MZP1", "password": PLANTED}


def complete(**changes: str) -> dict[str, str]:
    return {
        "PACELINE_REDIS_URL": f"rediss://user:{PLANTED}@store:6390/0?password={PLANTED}",
        "PACELINE_OBSERVE__SENTRY_DSN": f"https://{PLANTED}@sentry.example/1",
        "PACELINE_HUB__BASE_URL": "https://hub.example/ocpi/2.2.1",
        "PACELINE_HUB__PARTIES": json.dumps([PARTY]),
        "PACELINE_STELLANTIS__B2B_BASE_URL": "https://api.example/connectedcar/v3",
        "PACELINE_STELLANTIS__SUBSCRIPTIONS": json.dumps([SUBSCRIPTION]),
        **changes,
    }


def assert_silent(text: str) -> None:
    for start in range(len(PLANTED) - 5):
        assert PLANTED[start : start + 6] not in text, text


def everything_said_by(environ: Mapping[str, str]) -> str:
    with pytest.raises(SettingsError) as caught:
        load(environ)
    error = caught.value
    assert error.__context__ is None
    assert error.__cause__ is None
    said = [str(error), repr(error), *error.problems, *map(str, error.args)]
    return "\n".join([*said, *traceback.format_exception(error)])


def parties(**changes: Any) -> dict[str, str]:
    return complete(PACELINE_HUB__PARTIES=json.dumps([{**PARTY, **changes}]))


def subscriptions(**changes: Any) -> dict[str, str]:
    return complete(PACELINE_STELLANTIS__SUBSCRIPTIONS=json.dumps([{**SUBSCRIPTION, **changes}]))


MISTAKES: dict[str, dict[str, str]] = {
    "something else is wrong": complete(PACELINE_THREADS="0"),
    "values that disagree": complete(PACELINE_BROKER__LEASE_S="1"),
    "a token with a space": parties(token=f"Token {PLANTED}"),
    "a token in a list": parties(token=[PLANTED]),
    "a token in a table": parties(token={PLANTED: PLANTED}),
    "a token for a file's name": parties(token={"file": PLANTED}),
    "a token for a file's path": parties(token={"file": f"/{PLANTED}/{PLANTED}"}),
    "a next token with a line break": parties(next_token=f"{PLANTED}\n{PLANTED}"),
    "a token as a number's neighbour": parties(token=12345678901234567890),
    "a token in the place of a role": parties(role=PLANTED),
    "a token in the place of a country": parties(country_code=PLANTED, party_id=PLANTED, token_encoding=PLANTED),
    "a token in the place of limits": parties(limits=PLANTED),
    "a token in the place of a limit": parties(limits={"tokens": PLANTED}),
    "a token in the place of a number": parties(limits={"tokens": {"limit": PLANTED, "window_s": 1}}),
    "a party that is only its token": complete(PACELINE_HUB__PARTIES=json.dumps([PLANTED])),
    "parties that are only a token": complete(PACELINE_HUB__PARTIES=json.dumps(PLANTED)),
    "parties that are no JSON": complete(PACELINE_HUB__PARTIES=PLANTED),
    "parties whose JSON breaks off": complete(PACELINE_HUB__PARTIES=json.dumps([PARTY])[:-1]),
    "parties with a bad escape": complete(PACELINE_HUB__PARTIES=f'[{{"token": "{PLANTED}\\x"}}]'),
    "a hub that is only a token": complete(PACELINE_HUB=json.dumps(PLANTED)),
    "a token where a party is missing": complete(PACELINE_HUB__PARTIES__4__TOKEN=PLANTED),
    "the same account twice": complete(PACELINE_HUB__PARTIES=json.dumps([PARTY, PARTY])),
    "a misspelt token": parties(tokenn=PLANTED),
    "a password with a control character": subscriptions(password=f"{PLANTED}\x07"),
    "a password as a list": subscriptions(password=[PLANTED]),
    "a password for a user name": subscriptions(username=f"MZP1:{PLANTED}"),
    "a password for a client id": subscriptions(client_id=f"{PLANTED} {PLANTED}"),
    "a password for a kind": subscriptions(kind=PLANTED),
    "a password for a name": subscriptions(name=f" {PLANTED}"),
    "a key instead of its path": subscriptions(client_key=f"-----BEGIN PRIVATE KEY-----\n{PLANTED}/{PLANTED}\n"),
    "a certificate without a key": subscriptions(client_certificate=__file__),
    "a store's address of the wrong kind": complete(PACELINE_REDIS_URL=f"http://:{PLANTED}@store"),
    "a store's address with a bad port": complete(PACELINE_REDIS_URL=f"redis://:{PLANTED}@store:{PLANTED}"),
    "a store's address with a bracket": complete(PACELINE_REDIS_URL=f"redis://:{PLANTED}@[store"),
    "a DSN without a project": complete(PACELINE_OBSERVE__SENTRY_DSN=f"https://{PLANTED}@sentry.example"),
    "a DSN that is only its key": complete(PACELINE_OBSERVE__SENTRY_DSN=PLANTED),
    "an address with a user": complete(PACELINE_HUB__BASE_URL=f"https://u:{PLANTED}@hub.example"),
    "a public address with a user": complete(PACELINE_PUBLIC_URL=f"https://u:{PLANTED}@us.example"),
    "an unknown variable": complete(PACELINE_TOKEN=PLANTED),
    "one variable twice": complete(paceline_redis_url=f"redis://:{PLANTED}@store"),
}


@pytest.mark.parametrize("environ", MISTAKES.values(), ids=MISTAKES.keys())
def test_no_mistake_quotes_a_secret(environ: dict[str, str]) -> None:
    assert_silent(everything_said_by(environ))


@pytest.mark.parametrize(
    "text",
    [
        f"redis_url = redis://:{PLANTED}@h",
        f'redis_url = "redis://:{PLANTED}',
        f'redis_url = "http://:{PLANTED}@h"',
        f'redis_url = ["{PLANTED}"]',
        f'[hub]\nparties = ["{PLANTED}"]',
        f'[hub]\nparties = "{PLANTED}"',
        f'hub = "{PLANTED}"',
        f'[[hub.parties]]\ntoken = "{PLANTED} {PLANTED}"',
        f'[[stellantis.subscriptions]]\npassword = {{ a = "{PLANTED}" }}',
    ],
)
def test_no_mistake_in_a_toml_file_quotes_a_secret(tmp_path: Path, text: str) -> None:
    (tmp_path / "p.toml").write_text(text, encoding="utf-8")
    assert_silent(everything_said_by({"PACELINE_CONFIG": str(tmp_path / "p.toml")}))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("PACELINE_REDIS_URL", PLANTED),
        ("PACELINE_HUB__PARTIES", PLANTED),
        ("PACELINE_HUB__PARTIES", json.dumps([{**PARTY, "role": PLANTED}])),
        ("PACELINE_HUB__PARTIES", json.dumps([{**PARTY, "token": f"Token {PLANTED}"}])),
        ("PACELINE_HUB__PARTIES__0__TOKEN", f"{PLANTED} {PLANTED}"),
        ("PACELINE_OBSERVE__SENTRY_DSN", PLANTED),
        ("PACELINE_NOTHING_LIKE_IT", PLANTED),
    ],
)
def test_no_mistake_in_a_secret_file_quotes_a_secret(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert_silent(everything_said_by({"PACELINE_SECRETS_DIR": str(tmp_path)}))


def with_files(folder: Path) -> Settings:
    token, parties_file = folder / "token", folder / "PACELINE_HUB__PARTIES"
    token.write_text(PLANTED, encoding="utf-8")
    parties_file.write_text(json.dumps([{**PARTY, "next_token": {"file": str(token)}}]), encoding="utf-8")
    environ = complete(PACELINE_SECRETS_DIR=str(folder))
    del environ["PACELINE_HUB__PARTIES"]
    return load(environ)


def test_settings_show_no_secret_in_any_form(tmp_path: Path) -> None:
    for settings in (load(complete()), with_files(tmp_path)):
        party, subscription = settings.hub.parties[0], settings.stellantis.subscriptions[0]
        for shown in (settings, settings.hub, party, party.token, party.next_token, subscription, settings.observe):
            assert_silent(f"{shown!r} {shown}")
        assert_silent(settings.model_dump_json())
        assert_silent(str(settings.model_dump()))
        assert_silent(json.dumps(settings.describe()))
        assert_silent(str(settings.accounts()))


def test_settings_show_no_secret_when_logged(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("test").warning("%s %r", load(complete()), load(complete()))
    assert_silent(caplog.text)


def test_a_description_is_plain_json_with_stars_for_secrets(tmp_path: Path) -> None:
    described = json.loads(json.dumps(load(complete()).describe()))
    assert described["redis_url"] == "***"
    assert described["observe"]["sentry_dsn"] == "***"
    assert described["hub"]["parties"][0]["token"] == "***"
    assert described["stellantis"]["subscriptions"][0]["password"] == "***"
    assert described["hub"]["base_url"] == "https://hub.example/ocpi/2.2.1"
    kept = with_files(tmp_path).describe()["hub"]["parties"][0]["token"]
    assert kept == {"file": str(tmp_path / "PACELINE_HUB__PARTIES"), "value": "***"}


def test_settings_built_by_hand_keep_secrets_out_of_their_error_text() -> None:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate({"redis_url": PLANTED, "hub": {"parties": [{**PARTY, "token": f"{PLANTED} x"}]}})
    assert_silent(str(caught.value))
