"""Steering a sandbox: over HTTP and in Python alike, in this process and in one of its own."""

import json
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from settings import load
from tests.integration.sandbox_caller import Caller
from worker.sandbox.arguments import parse
from worker.sandbox.client import SandboxClient
from worker.sandbox.controls import Controls
from worker.sandbox.faults import ACTIONS
from worker.sandbox.process import SandboxProcess
from worker.sandbox.server import Sandbox
from worker.sandbox.world import CONTROLS, World

ROOT = Path(__file__).parents[2]


@pytest.fixture
def client(sandbox: Sandbox) -> SandboxClient:
    return SandboxClient(sandbox.control_url)


def test_every_control_call_exists_on_both_sides() -> None:
    assert [name for name in CONTROLS if not (hasattr(World, name) and hasattr(Controls, name))] == []


def test_the_client_does_what_the_object_does(sandbox: Sandbox, client: SandboxClient) -> None:
    caller = Caller(sandbox)
    assert client.limits("tokens", limit=1, window_s=60.0, account="hub:IN-ABC") == 1
    number = client.fault("status", {"api": "stellantis"}, times=1, status=502)
    assert (caller.status().status, number) == (502, 1)
    caller.authorize()
    caller.authorize()
    assert client.judge() == sandbox.judge()
    assert client.log(operation="hub.authorize_token", status=429) == sandbox.log(status=429)
    assert client.count(account="hub:IN-ABC") == 2
    assert client.config()["hub"]["refusal"] == "429"


def test_reading_calls_work_in_a_browser(sandbox: Sandbox) -> None:
    Caller(sandbox).authorize()
    with urllib.request.urlopen(f"{sandbox.control_url}/log?since=0&limit=1&api=hub") as reply:
        assert [one["operation"] for one in json.load(reply)["result"]] == ["hub.authorize_token"]


def test_the_control_calls_answer_on_the_ports_of_the_apis_too(sandbox: Sandbox) -> None:
    url = f"http://127.0.0.1:{sandbox.ports['hub']}/_control"
    assert SandboxClient(url).count() == 0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda client: client.config({"hub.colour": "red"}), "there is no option 'colour'"),
        (lambda client: client.config({"hub.refusal": "418"}), "'refusal' is one of 429, 200, 429-bare"),
        (lambda client: client.config({"parties": []}), "cannot change while running"),
        (lambda client: client.limits("nosuch", 1), "the windows are calls.day, calls.second, commands"),
        (lambda client: client.limits("tokens", 0), "at least 1"),
        (lambda client: client.revoke("hub:XX-YYY"), "the accounts are hub:IN-ABC"),
        (lambda client: client.latency("hub", fixed_ms=-1), "never negative"),
        (lambda client: client.latency("fax", fixed_ms=1), "the APIs are hub, stellantis"),
        (lambda client: client.foreign("hub:IN-ABC", 5, pattern="rude"), "the patterns are steady"),
        (lambda client: client.outage("fax", mode="refuse"), "the APIs are hub, stellantis"),
        (lambda client: client._call("dance"), "there is no control 'dance'"),
    ],
)
def test_a_call_that_makes_no_sense_is_refused_in_words(client: SandboxClient, call: object, words: str) -> None:
    assert callable(call)
    with pytest.raises(ValueError, match=words):
        call(client)


def test_every_control_call_is_listed_with_its_arguments(sandbox: Sandbox) -> None:
    for address in (f"{sandbox.control_url}/", sandbox.control_url):
        with urllib.request.urlopen(address) as reply:
            listed = json.load(reply)["result"]
        assert "revoke(account)" in listed and "refuse(api, seconds=None)" in listed
        assert "fault(action, match=None, times=None, seconds=None, probability=1.0, ...)" in listed
        assert [one.partition("(")[0] for one in listed] == ["refuse", "accept", *CONTROLS]
    with pytest.raises(ValueError, match=r"there is no control 'dance'; .* revoke\(account\)"):
        SandboxClient(sandbox.control_url)._call("dance")


def test_the_help_has_examples_that_work(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--help"])
    told = capsys.readouterr().out
    examples = re.findall(r"^  curl \$CONTROL(/\w+) -d '(.*)'$", told, re.MULTILINE)
    assert len(examples) == 4
    for path, body in examples:
        with urllib.request.urlopen(sandbox.control_url + path, body.encode()) as reply:
            assert "result" in json.load(reply)
    assert [one["action"] for one in sandbox.faults()["active"]] == ["status", "hang"]
    assert Caller(sandbox).status().status == 503
    with urllib.request.urlopen(f"{sandbox.control_url}/clear_faults"):
        assert sandbox.faults()["active"] == []
    assert [action for action in ACTIONS if f"\n  {action}" not in told] == []


def test_a_reset_forgets_everything_but_options_and_limits(sandbox: Sandbox) -> None:
    caller = Caller(sandbox)
    sandbox.limits("tokens", 2, 60.0)
    sandbox.config({"hub.refusal": "200"})
    sandbox.revoke("stellantis:fleet-1")
    sandbox.fault("status", status=500)
    caller.start()
    sandbox.reset()
    assert (sandbox.log(), sandbox.commands(), sandbox.faults()["active"]) == ([], [], [])
    assert (caller.status().status, [caller.authorize().code for _ in range(3)]) == (200, [1000, 1000, 2004])
    assert sandbox.records()["cdrs"] == {}


def test_the_log_holds_what_support_and_judge_need(sandbox: Sandbox) -> None:
    Caller(sandbox).authorize(X_Correlation_ID="job-1", X_Request_ID="request-1")
    (one,) = sandbox.log()
    told = {
        name: one[name] for name in ("account", "api", "method", "job", "request_id", "status", "windows", "refused")
    }
    assert told == {
        "account": "hub:IN-ABC",
        "api": "hub",
        "method": "PUT",
        "job": "job-1",
        "request_id": "request-1",
        "status": 200,
        "windows": ["tokens"],
        "refused": [],
    }


def test_a_sandbox_in_its_own_process_does_the_same_and_ends_with_its_parent() -> None:
    with SandboxProcess(limits={"tokens": [2, 60.0]}, hub={"refusal": "200"}) as sandbox:
        process = sandbox._process
        assert process is not None
        caller = Caller(sandbox)  # type: ignore[arg-type]
        assert [caller.authorize().code for _ in range(3)] == [1000, 1000, 2004]
        assert sandbox.judge()["refusals"]["ours"] == 1
    assert process.returncode == 0


def test_the_command_line_prints_the_addresses_and_stops_when_told() -> None:
    command = [sys.executable, "-m", "worker.sandbox", "--latency-ms", "1", "--limit", "tokens=5/1"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(3)]
        process.terminate()
        assert process.wait(60) == 0
        rest = process.stdout.read()
    urls = dict(line.split() for line in lines)
    assert list(urls) == ["hub", "stellantis", "control"]
    assert urls["hub"].endswith("/ocpi/2.2.1")
    settings = load(in_a_shell(rest))
    assert settings.accounts()["hub:IN-ABC"].base_url == urls["hub"]
    assert settings.accounts()["hub:IN-ABC"].budgets["tokens"][0].limit == 5
    assert settings.accounts()["stellantis:fleet-1"].base_url == urls["stellantis"]


def in_a_shell(lines: str) -> dict[str, str]:
    """What is set in a shell that these lines were pasted into."""
    done = subprocess.run(["/bin/sh", "-c", f"{lines}\nenv -0"], env={}, capture_output=True, text=True, check=True)
    entries = (entry.split("=", 1) for entry in done.stdout.split("\0") if entry.startswith("PACELINE_"))
    return dict(entries)


def test_its_settings_name_the_same_accounts_limits_and_windows() -> None:
    limits = {"tokens": (10, 1.0), "hub:IN-DEF/tokens": (5, 2.0), "calls.second": (7, 0.5)}
    with Sandbox(limits=limits) as sandbox:
        told = sandbox.environment()
    parties = {party["party_id"]: party for party in json.loads(told["PACELINE_HUB__PARTIES"])}
    assert told["PACELINE_HUB__BASE_URL"] == sandbox.hub_url
    assert parties["ABC"]["limits"] == {"tokens": {"limit": 10, "window_s": 1.0}}
    assert parties["DEF"]["limits"] == {"tokens": {"limit": 5, "window_s": 2.0}}
    fleet = json.loads(told["PACELINE_STELLANTIS__SUBSCRIPTIONS"])[0]
    assert (fleet["limit_per_second"], fleet["second_window_s"], fleet["limit_per_day"]) == (7, 0.5, 100_000)


def test_an_option_that_does_not_exist_stops_the_start() -> None:
    with pytest.raises(ValueError, match="there is no option 'colour'"):
        Sandbox(colour="red")
    with pytest.raises(ValueError, match="Party needs country_code, party_id, role"):
        Sandbox(parties=[{"token": "x"}])


def test_a_stopped_sandbox_has_left_its_ports() -> None:
    with Sandbox() as sandbox:
        port = sandbox.ports["hub"]
    with Sandbox(port=port) as again:
        assert again.ports["hub"] == port
