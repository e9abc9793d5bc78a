"""What must be masked: every secret, in every shape it can turn up in."""

import json
from base64 import b64encode
from pathlib import Path
from urllib.parse import quote

import pytest

from settings import load
from worker.deliver.credentials import Credentials

TOKEN, PASSWORD, STORE = "t0ken&of/abc", 'pass"wörd 99', "st0re%20pass"


def encoded(text: str) -> str:
    return b64encode(text.encode()).decode()


def credentials(token: object = TOKEN, client_id: str = "app-id") -> Credentials:
    party = {"country_code": "IN", "party_id": "ABC", "role": "EMSP", "token": token, "next_token": "t0ken-to-come"}
    fleet = {"name": "fleet-1", "client_id": client_id, "username": "MZP1", "password": PASSWORD}
    environ = {
        "PACELINE_REDIS_URL": f"redis://user:{STORE}@store:6390/0?password=another-one",
        "PACELINE_OBSERVE__SENTRY_DSN": "https://public-key@sentry.example/1",
        "PACELINE_HUB__BASE_URL": "https://hub.example",
        "PACELINE_HUB__PARTIES": json.dumps([party]),
        "PACELINE_STELLANTIS__B2B_BASE_URL": "https://api.example",
        "PACELINE_STELLANTIS__SUBSCRIPTIONS": json.dumps([fleet]),
    }
    return Credentials(load(environ), clock=iter(range(99)).__next__)


@pytest.mark.parametrize("secret", [TOKEN, "t0ken-to-come", PASSWORD])
def test_a_secret_is_listed_in_every_shape(secret: str) -> None:
    listed = credentials().secrets()
    for shape in (
        secret,
        encoded(secret),
        encoded(secret).rstrip("="),
        quote(secret, safe=""),
        json.dumps(secret)[1:-1],
    ):
        assert shape in listed


def test_the_blob_of_basic_authentication_is_listed() -> None:
    assert encoded(f"MZP1:{PASSWORD}") in credentials().secrets()


def test_a_client_id_is_listed_when_it_cannot_be_an_ordinary_word() -> None:
    long = "1eebc2d5-5df3-459b-a624-20abfcf82530"
    assert long in credentials(client_id=long).secrets()
    assert "app-id" not in credentials(client_id="app-id").secrets()


def test_the_passwords_of_the_store_are_listed_as_written_and_as_meant() -> None:
    listed = credentials().secrets()
    assert {STORE, "st0re pass", "another-one"} <= set(listed)


def test_the_address_of_sentry_is_listed() -> None:
    assert "https://public-key@sentry.example/1" in credentials().secrets()


def test_longer_shapes_come_first_so_that_no_tail_is_left() -> None:
    lengths = [len(shape) for shape in credentials().secrets()]
    assert lengths == sorted(lengths, reverse=True)
    assert min(lengths) >= 4


def test_a_replaced_token_stays_masked(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("token-before", encoding="utf-8")
    held = credentials({"file": str(file)})
    file.write_text("token-after", encoding="utf-8")
    held.headers_for("hub:IN-ABC")
    assert {"token-before", "token-after", encoded("token-before")} <= set(held.secrets())


def test_a_changed_file_is_masked_before_anybody_sends_it(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("token-before", encoding="utf-8")
    held = credentials({"file": str(file)})
    file.write_text("token-after", encoding="utf-8")
    assert "token-after" in held.secrets()


def test_credentials_show_no_secret(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("two words", encoding="utf-8")
    held = credentials()
    shown = f"{held!r} {held} {held._held!r} {held.problems()} {held.version_of('hub:IN-ABC')}"
    assert [secret for secret in held.secrets() if secret in shown] == []
