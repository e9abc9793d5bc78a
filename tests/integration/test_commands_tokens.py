"""`tokens`: a hub token is rotated step by step while calls go on, and no token is ever shown."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.integration.fate_bench import Bench
from tests.integration.terminal import Said, Terminal
from worker.sandbox.server import Sandbox

HUB, READ = "hub:IN-ABC", "hub.get_location"
NEXT = "the-token-after-that"


@pytest.fixture
def files(tmp_path: Path, sandbox: Sandbox) -> dict[str, str]:
    """Token and next token of the first party, each in a file of its own."""
    parties: list[dict[str, Any]] = json.loads(sandbox.environment()["PACELINE_HUB__PARTIES"])
    for name, value in (("token", parties[0]["token"]), ("next_token", NEXT)):
        (tmp_path / name).write_text(value, encoding="ascii")
        parties[0][name] = {"file": str(tmp_path / name)}
    return {"PACELINE_HUB__PARTIES": json.dumps(parties)}


@pytest.fixture
def bench(
    redis_url: str, store: "redis.Redis[bytes]", sandbox: Sandbox, tmp_path: Path, files: dict[str, str]
) -> Iterator[Bench]:
    with Bench(redis_url, sandbox, tmp_path, environ=files) as made:
        yield made


@pytest.fixture
def run(bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(bench.environ, monkeypatch, capsys)


def status(run: Terminal) -> dict[str, Any]:
    found: dict[str, Any] = run("tokens", "status", HUB, "--json").record
    return found


def check_hidden(bench: Bench, said: Said) -> None:
    for secret in (*bench.system.credentials.secrets(), NEXT):
        assert secret not in said.out + said.err


def test_a_rotation_goes_through_with_both_tokens_valid_and_no_call_refused(
    bench: Bench, run: Terminal, sandbox: Sandbox, tmp_path: Path
) -> None:
    before = status(run)
    assert (before["stage"], before["version"] != before["next_version"]) == ("two tokens", True)

    early = run("tokens", "rotate", HUB)
    assert (early.code, early.out.count("fail  "), "Do not switch" in early.out) == (1, 1, True)
    assert bench.run(READ).state == "done", "the current token goes on"

    sandbox.rotate(HUB, NEXT)
    ready = run("tokens", "rotate", HUB, "--json")
    assert (ready.code, [step["level"] for step in ready.records]) == (0, ["ok", "ok", "next"])
    told = ready.records[-1]["said"]
    assert str(tmp_path / "token") in told and before["next_version"] in told and "no restart" in told

    jobs = [bench.send(READ) for _ in range(20)]
    (tmp_path / "token").write_text(NEXT, encoding="ascii")
    jobs += [bench.send(READ) for _ in range(20)]
    assert {bench.wait(job).state for job in jobs} == {"done"}
    after = status(run)
    assert (after["stage"], after["version"]) == ("switched", before["next_version"])
    done = run("tokens", "rotate", HUB)
    assert (done.code, "revoke the old one" in done.out) == (0, True)

    sandbox.rotate(HUB, NEXT, overlap=False)
    assert bench.run(READ).state == "done"
    assert sandbox.count(unauthorized=True, operation=READ) == 0
    for said in (early, ready, done, run("tokens", "status")):
        check_hidden(bench, said)


def test_the_verification_draws_on_the_control_budget_and_settles_its_permit(
    bench: Bench, run: Terminal, sandbox: Sandbox
) -> None:
    sandbox.rotate(HUB, NEXT)
    assert run("tokens", "rotate", HUB).code == 0
    window = bench.window(f"{HUB}|control")
    assert (window["tot"], window["inf"]) == (2, 0)
    assert len(sandbox.log(operation="hub.get_client_info")) == 2


def test_without_a_next_token_it_says_how_to_begin(
    redis_url: str,
    sandbox: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    parties: list[dict[str, Any]] = json.loads(sandbox.environment()["PACELINE_HUB__PARTIES"])
    parties[0].pop("next_token", None)
    with Bench(redis_url, sandbox, tmp_path, environ={"PACELINE_HUB__PARTIES": json.dumps(parties)}) as bench:
        run = Terminal(bench.environ, monkeypatch, capsys)
        said = run("tokens", "rotate", HUB)
        assert (said.code, "PUT credentials" in said.out, status(run)["stage"]) == (0, True, "steady")
        assert (status(run)["where"], status(run)["next_version"]) == ("PACELINE_HUB__PARTIES", None)
        check_hidden(bench, said)


def test_a_revoked_token_is_told_and_fails(bench: Bench, run: Terminal, sandbox: Sandbox) -> None:
    sandbox.revoke(HUB)
    said = run("tokens", "rotate", HUB)
    assert (said.code, "the credential is refused" in said.out) == (1, True)


@pytest.mark.parametrize(
    ("account", "said"), [("stellantis:fleet-1", "has a password and no token"), ("hub:IN-XYZ", "expected a party")]
)
def test_an_account_without_tokens_is_refused_in_one_line(run: Terminal, account: str, said: str) -> None:
    for verb in ("status", "rotate"):
        answer = run("tokens", verb, account)
        assert (answer.code, len(answer.complaints), said in answer.err) == (2, 1, True)
