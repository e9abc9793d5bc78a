"""The units and objects that the README gives are valid, start what the Procfile starts, and stop it no sooner than it
can.
"""

import copy
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from settings import load
from settings.deliver import DeliverSection
from tests.house.deployment import (
    command_of,
    container,
    environment,
    fenced,
    named,
    objects,
    one,
    parsed,
    pod,
    problems_of,
    procfile,
    units,
)  # fmt: skip
from worker.accept.intake.guard import OPEN
from worker.accept.intake.listening import DRAIN_S
from worker.broker.process import LAST_WORDS_S
from worker.leaving import EXIT_USAGE

WORKER, WEB = "paceline-worker@.service", "paceline-web.service"
SHUTDOWN_S = int(procfile("worker")[procfile("worker").index("--worker-shutdown-timeout") + 1]) / 1000
STORE_AWAY_S = DeliverSection().total_deadline_s + LAST_WORDS_S + SHUTDOWN_S
"""A worker that is told to stop while its store is away first waits for its calls, then for their acknowledgements."""
KNOWN = {
    "Unit": {"Description", "Wants", "After"},
    "Service": {
        "CapabilityBoundingSet", "Environment", "EnvironmentFile", "ExecStart", "KillMode", "KillSignal",
        "LoadCredential", "LockPersonality", "NoNewPrivileges", "PrivateDevices", "PrivateTmp", "ProtectClock",
        "ProtectControlGroups", "ProtectHome", "ProtectKernelLogs", "ProtectKernelModules", "ProtectKernelTunables",
        "ProtectProc", "ProtectSystem", "Restart", "RestartPreventExitStatus", "RestartSec",
        "RestrictAddressFamilies", "RestrictNamespaces", "RestrictSUIDSGID", "SystemCallArchitectures",
        "SystemCallFilter", "TimeoutStopSec", "Type", "UMask", "User", "WorkingDirectory",
    },
    "Install": {"WantedBy"},
}  # fmt: skip


# -- systemd ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [WORKER, WEB])
def test_a_unit_has_no_setting_that_systemd_does_not_know(name: str) -> None:
    for section, values in parsed(units()[name]).items():
        assert set(values) - KNOWN[section] == set()


@pytest.mark.parametrize("name", [WORKER, WEB])
def test_systemd_finds_nothing_wrong_with_a_unit(name: str, tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("there is no systemd-analyze here; the settings are compared with a list of known ones")
    text = re.sub(r"ExecStart=\S+", f"ExecStart={sys.executable}", units()[name])  # it looks for the program
    (tmp_path / name).write_text(text, encoding="utf-8")
    done = subprocess.run(
        [analyze, "verify", "--man=no", str(tmp_path / name)], capture_output=True, text=True, timeout=60, check=False
    )
    about_us = [line for line in (done.stdout + done.stderr).splitlines() if name.partition("@")[0] in line]
    assert (done.returncode, about_us) == (0, [])


def test_the_units_start_what_the_procfile_starts() -> None:
    assert set(units()) == {WORKER, WEB}
    assert command_of(parsed(units()[WORKER])) == procfile("worker")
    assert command_of(parsed(units()[WEB])) == [*procfile("web"), "--host", "127.0.0.1"]


def test_systemd_gives_a_worker_the_time_to_drain_and_signals_its_master_alone() -> None:
    worker, web = parsed(units()[WORKER]), parsed(units()[WEB])
    assert float(one(worker, "TimeoutStopSec")) > STORE_AWAY_S > SHUTDOWN_S > DeliverSection().total_deadline_s
    assert float(one(web, "TimeoutStopSec")) > DRAIN_S
    for unit in (worker, web):
        assert (one(unit, "KillMode"), unit["Service"]["KillSignal"] or ["SIGTERM"]) == ("mixed", ["SIGTERM"])
        assert one(unit, "Restart") == "always"
        assert one(unit, "RestartPreventExitStatus") == str(EXIT_USAGE)


@pytest.mark.parametrize("name", [WORKER, WEB])
def test_a_credential_of_systemd_is_a_setting_of_ours(name: str, tmp_path: Path) -> None:
    unit = parsed(units()[name])
    assert environment(unit)["PACELINE_SECRETS_DIR"] == "%d"
    credential, _, path = one(unit, "LoadCredential").partition(":")
    assert path.startswith("/etc/paceline/")
    (tmp_path / credential).write_text("redis://:a-secret@store.internal:6379/0\n")
    settings = load({"PACELINE_SECRETS_DIR": str(tmp_path)})
    assert settings.redis_url is not None
    assert settings.redis_url.get_secret_value() == "redis://:a-secret@store.internal:6379/0"


# -- Kubernetes -------------------------------------------------------------------------------------------------------


def test_every_object_is_one_that_kubernetes_takes() -> None:
    assert sorted(each["kind"] for each in objects()) == [
        "Deployment", "Deployment", "PodDisruptionBudget", "PodDisruptionBudget", "Service",
    ]  # fmt: skip
    assert [problem for each in objects() for problem in problems_of(each)] == []


def test_a_mistake_in_an_object_would_be_found() -> None:
    right = named("Deployment", "paceline-worker")
    for spoil in (_misspell, _leave_out, _mistype):
        wrong = copy.deepcopy(right)
        spoil(wrong["spec"])
        assert problems_of(wrong) != [], spoil.__name__


def _misspell(spec: dict[str, Any]) -> None:
    spec["template"]["spec"]["terminationGracePeriod"] = 60


def _leave_out(spec: dict[str, Any]) -> None:
    del spec["selector"]


def _mistype(spec: dict[str, Any]) -> None:
    spec["template"]["spec"]["containers"][0]["command"] = ["dramatiq", 8]


def test_the_containers_start_what_the_procfile_starts() -> None:
    assert container("paceline-worker")["command"] == procfile("worker")
    assert container("paceline-web")["command"] == [*procfile("web"), "--host", "0.0.0.0"]


def test_kubernetes_gives_a_process_the_time_to_drain() -> None:
    assert pod("paceline-worker")["terminationGracePeriodSeconds"] > STORE_AWAY_S
    wait_s = container("paceline-web")["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod("paceline-web")["terminationGracePeriodSeconds"] > wait_s + DRAIN_S


@pytest.mark.parametrize("name", ["paceline-worker", "paceline-web"])
def test_a_rolling_deploy_starts_the_new_before_it_stops_the_old(name: str) -> None:
    spec = named("Deployment", name)["spec"]
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert spec["selector"]["matchLabels"] == spec["template"]["metadata"]["labels"]
    budget = named("PodDisruptionBudget", name)["spec"]
    assert budget["selector"] == spec["selector"]
    assert budget["maxUnavailable"] < spec["replicas"]


def test_the_web_process_is_asked_where_it_answers_everybody() -> None:
    web = container("paceline-web")
    [port] = web["ports"]
    assert str(port["containerPort"]) == web["command"][web["command"].index("--port") + 1]
    probes = [web[probe]["httpGet"] for probe in ("livenessProbe", "readinessProbe")]
    asked = {probe["path"]: probe["port"] for probe in probes}
    assert asked == dict.fromkeys(OPEN, port["name"])
    assert web["livenessProbe"]["httpGet"]["path"] == "/healthz", "what asks the store would end all at once with it"
    service = named("Service", "paceline-web")["spec"]
    assert service["selector"] == named("Deployment", "paceline-web")["spec"]["selector"]["matchLabels"]
    assert [one["targetPort"] for one in service["ports"]] == [port["name"]]


def test_a_worker_has_no_probe_and_no_port() -> None:
    assert {"livenessProbe", "readinessProbe", "startupProbe", "ports"} & set(container("paceline-worker")) == set()


@pytest.mark.parametrize("name", ["paceline-worker", "paceline-web"])
def test_settings_and_secrets_are_mounted_where_they_are_looked_for(name: str, tmp_path: Path) -> None:
    mounts = {mount["name"]: mount["mountPath"] for mount in container(name)["volumeMounts"]}
    env = {one["name"]: one["value"] for one in container(name)["env"]}
    assert Path(env["PACELINE_CONFIG"]).parent == Path(mounts["settings"])
    assert env["PACELINE_SECRETS_DIR"] == mounts["secrets"]
    assert set(mounts) == {volume["name"] for volume in pod(name)["volumes"]}
    made = set(re.findall(r"kubectl create secret .*", (" ".join(fenced("console")))))
    given = set(re.findall(r"--from-file=(\S+)", " ".join(made)))
    for file in given:
        (tmp_path / file).write_text("redis://store.internal:6379/0" if file.startswith("PACELINE") else "a-secret")
    toml = fenced("toml")[0].replace(mounts["secrets"], str(tmp_path))
    (tmp_path / "paceline.toml").write_text(toml, encoding="utf-8")
    wanted = set(re.findall(rf'"{tmp_path}/([\w-]+)"', toml))
    assert wanted | {"PACELINE_REDIS_URL"} == given
    settings = load({"PACELINE_CONFIG": str(tmp_path / "paceline.toml"), "PACELINE_SECRETS_DIR": str(tmp_path)})
    assert tomllib.loads(toml)["environment"] == settings.environment == "production"
    assert len(settings.accounts()) == 2


# -- sizing -----------------------------------------------------------------------------------------------------------


def test_the_figures_of_the_sizing_are_those_of_its_formula() -> None:
    """As `parts/serve.lua` has it: a lane's calls in flight are half of the fleet's threads, rounded down."""
    text = fenced_out()
    limit, window_s, call_s = 100, 1.0, 0.2
    rate = limit / (window_s + call_s)
    flying = rate * call_s
    alone = 2 * -(-flying // 1)
    assert f"100 ÷ 1.2 = {rate:.0f} a second, {-(-flying // 1):.0f} in flight" in text
    assert f"use all of it needs {alone:.0f}, five processes of eight" in text
    assert 4 * 8 < alone <= 5 * 8
    assert 2 * 8 < flying <= 3 * 8
    measured = {16: 39, 24: 58, 32: 77, 40: 82, 64: 83}
    for threads, seen in measured.items():
        assert 0.95 < seen / min(rate, threads // 2 / call_s) <= 1
    said = ", ".join(str(threads) for threads in measured).replace(", 64", " and 64")
    rates = ", ".join(str(seen) for seen in measured.values()).replace(", 83", " and 83")
    assert f"{said} threads made {rates} calls a second" in text
    assert f"200 ÷ (60 + 0.5) of 0.5 s each are {-(-200 / 60.5 * 0.5 // 1):.0f} in flight" in text


def fenced_out() -> str:
    """The README in one line, without its blocks."""
    text = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    return " ".join(re.sub(r"```.*?```", "", text, flags=re.DOTALL).split())
