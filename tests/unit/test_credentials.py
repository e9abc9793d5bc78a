"""Credentials at the moment of sending: what they look like, and what happens when their files change."""

import json
import os
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from settings import Settings, load
from worker.deliver import watched_file
from worker.deliver.credentials import Credentials
from worker.errors import Refused

HUB, FLEET = "hub:IN-ABC", "stellantis:fleet-1"
PARTY: dict[str, Any] = {"country_code": "IN", "party_id": "ABC", "role": "EMSP", "token": "token-of-abc"}
SUBSCRIPTION: dict[str, Any] = {"name": "fleet-1", "client_id": "app", "username": "MZP1", "password": "pass-1234"}


def settings(party: dict[str, Any] | None = None, fleet: dict[str, Any] | None = None, **more: str) -> Settings:
    return load(
        {
            "PACELINE_HUB__BASE_URL": "https://hub.example/ocpi/2.2.1",
            "PACELINE_HUB__PARTIES": json.dumps([{**PARTY, **(party or {})}]),
            "PACELINE_STELLANTIS__B2B_BASE_URL": "https://api.example/connectedcar/v3",
            "PACELINE_STELLANTIS__SUBSCRIPTIONS": json.dumps([{**SUBSCRIPTION, **(fleet or {})}]),
            **more,
        }
    )


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text("first-token\n", encoding="utf-8")
    return file


@pytest.fixture
def watching(token_file: Path) -> Credentials:
    return Credentials(settings({"token": {"file": str(token_file)}}))


def encoded(text: str) -> str:
    return b64encode(text.encode()).decode()


def test_a_raw_token_is_sent_as_it_is() -> None:
    assert Credentials(settings()).headers_for(HUB) == {"Authorization": "Token token-of-abc"}


def test_a_base64_token_is_encoded_first() -> None:
    credentials = Credentials(settings({"token_encoding": "base64"}))
    assert credentials.headers_for(HUB) == {"Authorization": f"Token {encoded('token-of-abc')}"}


def test_a_subscription_uses_basic_and_its_client_id() -> None:
    credentials = Credentials(settings())
    assert credentials.headers_for(FLEET) == {"Authorization": f"Basic {encoded('MZP1:pass-1234')}"}
    assert credentials.query_for(FLEET) == {"client_id": "app"}
    assert credentials.query_for(HUB) == {}


def test_a_password_outside_ascii_is_sent_as_utf_8() -> None:
    credentials = Credentials(settings(fleet={"password": "pässwörd"}))
    assert credentials.headers_for(FLEET) == {"Authorization": f"Basic {encoded('MZP1:pässwörd')}"}


def test_the_token_in_use_is_not_the_next_one() -> None:
    credentials = Credentials(settings({"next_token": "token-to-come"}))
    assert credentials.headers_for(HUB) == {"Authorization": "Token token-of-abc"}
    assert "token-to-come" in credentials.secrets()


def test_an_unknown_account_is_refused_with_the_known_ones() -> None:
    with pytest.raises(Refused, match="hub:IN-ABC, stellantis:fleet-1"):
        Credentials(settings()).headers_for("hub:IN-XYZ")


def test_an_account_without_certificates_has_no_tls_files() -> None:
    credentials = Credentials(settings())
    assert credentials.tls_for(HUB) is None
    assert credentials.tls_for(FLEET) is None


def test_certificates_are_named_and_a_replaced_one_gives_another_version(tmp_path: Path) -> None:
    paths = {name: tmp_path / name for name in ("client_certificate", "client_key", "ca_bundle")}
    for path in paths.values():
        path.write_text(f"pem of {path.name}", encoding="utf-8")
    credentials = Credentials(settings(fleet={name: str(path) for name, path in paths.items()}))
    before, version = credentials.tls_for(FLEET), credentials.version_of(FLEET)
    assert before is not None
    assert (before.client_certificate, before.client_key, before.ca_bundle) == tuple(paths.values())
    assert credentials.tls_for(FLEET) == before
    paths["client_key"].write_text("another pem", encoding="utf-8")
    after = credentials.tls_for(FLEET)
    assert after is not None
    assert after.version != before.version
    assert credentials.version_of(FLEET) != version
    assert credentials.changed() == {FLEET}


def test_a_vanished_certificate_is_reported_and_its_version_kept(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("pem", encoding="utf-8")
    credentials = Credentials(settings(fleet={"ca_bundle": str(file)}))
    before = credentials.tls_for(FLEET)
    file.unlink()
    assert credentials.tls_for(FLEET) == before
    assert len(credentials.problems()) == 1


def test_a_changed_file_is_used_by_the_next_call(watching: Credentials, token_file: Path) -> None:
    assert watching.headers_for(HUB) == {"Authorization": "Token first-token"}
    token_file.write_text("second-token\n", encoding="utf-8")
    assert watching.headers_for(HUB) == {"Authorization": "Token second-token"}


def test_a_file_replaced_by_rename_is_used_by_the_next_call(watching: Credentials, token_file: Path) -> None:
    fresh = token_file.with_name("fresh")
    fresh.write_text("other-token\n", encoding="utf-8")
    stat = token_file.stat()
    os.utime(fresh, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    watching.headers_for(HUB)
    fresh.replace(token_file)
    assert watching.headers_for(HUB) == {"Authorization": "Token other-token"}


def test_a_change_that_kept_size_and_time_is_seen(watching: Credentials, token_file: Path) -> None:
    watching.headers_for(HUB)
    stat = token_file.stat()
    token_file.write_text("f1rst-token\n", encoding="utf-8")
    os.utime(token_file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert watching.headers_for(HUB) == {"Authorization": "Token f1rst-token"}


def test_an_untouched_file_is_not_read_again(
    watching: Credentials, token_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watched_file, "SETTLED_NS", -1)
    reads: list[Path] = []

    def counting(path: Path) -> bytes:
        reads.append(path)
        return path.read_bytes()

    monkeypatch.setattr(watched_file, "read_bytes", counting)
    for _ in range(5):
        watching.headers_for(HUB)
    assert reads == [token_file]


def test_changed_names_each_account_once(watching: Credentials, token_file: Path) -> None:
    assert watching.changed() == set()
    token_file.write_text("second-token", encoding="utf-8")
    watching.headers_for(HUB)
    assert watching.changed() == {HUB}
    assert watching.changed() == set()


def test_a_file_written_again_with_the_same_token_is_no_change(watching: Credentials, token_file: Path) -> None:
    token_file.write_text("first-token\r\n", encoding="utf-8")
    assert watching.changed() == set()


def test_a_vanished_file_leaves_the_last_good_token_and_is_reported(watching: Credentials, token_file: Path) -> None:
    token_file.unlink()
    assert watching.headers_for(HUB) == {"Authorization": "Token first-token"}
    assert watching.problems() == [
        f"{HUB}: the file {token_file} cannot be read (no such file or directory); the last good value stays in use."
    ]
    assert watching.changed() == set()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"\xff\xfe", "is not UTF-8 text"),
        (b"a b", "does not hold visible ASCII"),
    ],
)
def test_an_unusable_file_leaves_the_last_good_token_and_is_reported(
    watching: Credentials, token_file: Path, content: bytes, reason: str
) -> None:
    token_file.write_bytes(content)
    assert watching.headers_for(HUB) == {"Authorization": "Token first-token"}
    assert reason in watching.problems()[0]


def test_a_folder_in_the_place_of_a_file_stops_nobody(watching: Credentials, token_file: Path) -> None:
    token_file.unlink()
    token_file.mkdir()
    assert watching.headers_for(HUB) == {"Authorization": "Token first-token"}
    assert len(watching.problems()) == 1


def test_a_file_that_vanished_before_the_first_call_stops_nobody(token_file: Path) -> None:
    made = settings({"token": {"file": str(token_file)}})
    token_file.unlink()
    assert Credentials(made).headers_for(HUB) == {"Authorization": "Token first-token"}


def test_a_problem_ends_when_the_file_is_good_again(watching: Credentials, token_file: Path) -> None:
    token_file.unlink()
    assert watching.problems() != []
    token_file.write_text("third-token", encoding="utf-8")
    assert watching.problems() == []
    assert watching.headers_for(HUB) == {"Authorization": "Token third-token"}


def test_a_list_in_a_secret_file_is_watched_by_account(tmp_path: Path) -> None:
    file = tmp_path / "PACELINE_HUB__PARTIES"
    other = {**PARTY, "party_id": "XYZ", "token": "token-of-xyz"}
    file.write_text(json.dumps([PARTY, other]), encoding="utf-8")
    credentials = Credentials(settings(PACELINE_HUB__PARTIES="", PACELINE_SECRETS_DIR=str(tmp_path)))
    file.write_text(json.dumps([{**other, "token": "new-of-xyz"}, PARTY]), encoding="utf-8")
    assert credentials.changed() == {"hub:IN-XYZ"}
    assert credentials.headers_for("hub:IN-XYZ") == {"Authorization": "Token new-of-xyz"}
    file.write_text(json.dumps([PARTY]), encoding="utf-8")
    assert credentials.headers_for("hub:IN-XYZ") == {"Authorization": "Token new-of-xyz"}
    assert "has no entry any more for IN-XYZ" in credentials.problems()[0]


def test_a_version_is_the_same_in_every_process_and_changes_with_the_token(
    watching: Credentials, token_file: Path
) -> None:
    before = watching.version_of(HUB)
    assert before == Credentials(settings({"token": "first-token"})).version_of(HUB)
    token_file.write_text("second-token", encoding="utf-8")
    assert watching.version_of(HUB) != before
    assert len(before) == 12


def test_a_version_tells_two_accounts_with_one_token_apart() -> None:
    credentials = Credentials(settings({"token": "the-same-one"}, {"password": "the-same-one"}))
    assert credentials.version_of(HUB) != credentials.version_of(FLEET)


def test_the_next_token_is_no_change_of_the_one_in_use(token_file: Path) -> None:
    credentials = Credentials(settings({"next_token": {"file": str(token_file)}}), clock=iter(range(99)).__next__)
    version = credentials.version_of(HUB)
    token_file.write_text("renewed-token", encoding="utf-8")
    assert credentials.changed() == set()
    assert credentials.version_of(HUB) == version
    assert "renewed-token" in credentials.secrets()


def test_many_threads_may_ask_while_the_file_changes(watching: Credentials, token_file: Path) -> None:
    def ask(number: int) -> str:
        if number % 10 == 0:
            fresh = token_file.with_name(f"fresh-{number}")
            fresh.write_text(f"token-{number}", encoding="utf-8")
            fresh.replace(token_file)
        watching.secrets()
        watching.changed()
        return watching.headers_for(HUB)["Authorization"]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(400)))
    assert all(answer.startswith("Token token-") for answer in answers[50:])
    assert watching.problems() == []
