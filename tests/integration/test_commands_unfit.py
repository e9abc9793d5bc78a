"""A store or settings that will not do: every way to start Paceline says so in one line, with the documented code."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from settings.surroundings import surroundings
from tests.integration.terminal import Terminal
from worker.sandbox.server import Sandbox
from worker.store.connection import RIGHTS
from worker.store.embedded import EmbeddedServer

ROOT = Path(__file__).parents[2]
DRAMATIQ = ("dramatiq", "worker.main:broker", "tasks", "--processes", "1", "--threads", "2",
            "--worker-shutdown-timeout", "28000")  # fmt: skip
COMMANDS = ("jobs list", "lanes list", "workers", "dlq list", "dlq problems", "dlq export", "jobs show 0-1",
            "doctor", "serve --port 0", "enqueue hub.list_locations --account hub:IN-ABC")  # fmt: skip
SECRET = "a-password-nobody-may-see"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    with EmbeddedServer.start(tmp_path_factory.mktemp("unfit")) as running:
        yield running


@pytest.fixture
def admin(server: EmbeddedServer) -> Iterator["redis.Redis[bytes]"]:
    """A client that sets the server up; everything is put back after the test."""
    with redis.Redis.from_url(server.url) as client:
        yield client
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("requirepass", "")
        client.acl_deluser("weak")


def stopped(server: EmbeddedServer, admin: "redis.Redis[bytes]", sandbox: Sandbox) -> str:
    return f"redis://:{SECRET}@127.0.0.1:1/0"  # where nobody listens


def malformed(server: EmbeddedServer, admin: "redis.Redis[bytes]", sandbox: Sandbox) -> str:
    return f"redis//{SECRET}@127.0.0.1"


def no_such_socket(server: EmbeddedServer, admin: "redis.Redis[bytes]", sandbox: Sandbox) -> str:
    return "unix:///nowhere/redis.sock"


def wrong_password(server: EmbeddedServer, admin: "redis.Redis[bytes]", sandbox: Sandbox) -> str:
    admin.config_set("requirepass", "another one")
    return server.url.replace("//", f"//:{SECRET}@")


def evicting(server: EmbeddedServer, admin: "redis.Redis[bytes]", sandbox: Sandbox) -> str:
    admin.config_set("maxmemory-policy", "allkeys-lru")
    return server.url


def without_rights(server: EmbeddedServer, admin: "redis.Redis[bytes]", sandbox: Sandbox) -> str:
    admin.execute_command("ACL", "SETUSER", "weak", "on", f">{SECRET}", "~paceline:*", "+@connection", "+info")
    return server.url.replace("//", f"//weak:{SECRET}@")


Cause = Callable[[EmbeddedServer, "redis.Redis[bytes]", Sandbox], str]
CAUSES: dict[Cause, tuple[int, str]] = {
    stopped: (3, "cannot reach the store at redis://127.0.0.1:"),
    malformed: (2, "PACELINE_REDIS_URL: expected an address such as redis://"),
    no_such_socket: (3, "cannot reach the store at unix:///nowhere/redis.sock"),
    wrong_password: (3, "refuses our user or password; correct PACELINE_REDIS_URL."),
    evicting: (3, "the store's maxmemory-policy must be noeviction, and is allkeys-lru"),
    without_rights: (3, "the store's user at redis://127.0.0.1:"),
}
every_cause = pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.__name__)


def environment(url: str, sandbox: Sandbox) -> dict[str, str]:
    own = {"PACELINE_REDIS_URL": url, "PACELINE_ENVIRONMENT": "test", "PACELINE_ON_EMPTY_STORE": "fresh"}
    return {**sandbox.environment(), **own}


def outside(environ: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    """One command in a process of its own, as a platform starts it."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.defpath])
    return subprocess.run(
        words, cwd=ROOT, env=surroundings() | environ | {"PATH": path}, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip


@every_cause
def test_a_worker_leaves_with_one_line_and_the_documented_code(
    server: EmbeddedServer, admin: "redis.Redis[bytes]", sandbox: Sandbox, cause: Cause
) -> None:
    code, words = CAUSES[cause]
    done = outside(environment(cause(server, admin, sandbox), sandbox), *DRAMATIQ)
    ours = [line for line in done.stderr.splitlines() if line.startswith("paceline: ")]
    assert len(ours) == 1, done.stderr
    assert words in ours[0]
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert SECRET not in done.stderr + done.stdout


@every_cause
def test_every_command_says_so_in_one_line(
    server: EmbeddedServer,
    admin: "redis.Redis[bytes]",
    sandbox: Sandbox,
    cause: Cause,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, words = CAUSES[cause]
    run = Terminal(environment(cause(server, admin, sandbox), sandbox), monkeypatch, capsys)
    for command in COMMANDS:
        said = run(*command.split())
        assert said.code == code, command
        assert SECRET not in said.out + said.err
        if command == "doctor":
            assert [words in line for line in said.lines if line.startswith("fail")] == [True]
        else:
            assert len(said.complaints) == 1
            assert words in said.err


def test_the_command_itself_ends_with_the_code(sandbox: Sandbox) -> None:
    url = "redis://127.0.0.1:1/0"  # where nobody listens
    done = outside(environment(url, sandbox), sys.executable, "-m", "worker", "jobs", "list")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith(f"paceline: cannot reach the store at {url} (")
    assert len(done.stderr.splitlines()) == 1


def test_wrong_settings_stop_a_worker_with_a_sentence_each(sandbox: Sandbox) -> None:
    wrong = {"PACELINE_THREADS": "many", "PACELINE_FAIL__ATTEMPTS": "0"}
    done = outside(environment("redis://127.0.0.1:1/0", sandbox) | wrong, *DRAMATIQ)
    assert done.returncode == 2
    assert len([line for line in done.stderr.splitlines() if line.startswith("paceline: PACELINE_")]) == 2
    assert "Traceback" not in done.stderr


def test_a_user_with_the_rights_we_name_is_enough(
    server: EmbeddedServer,
    admin: "redis.Redis[bytes]",
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    admin.execute_command("ACL", "SETUSER", "weak", "on", f">{SECRET}", *RIGHTS.split())
    url = server.url.replace("//", f"//weak:{SECRET}@")
    run = Terminal(environment(url, sandbox), monkeypatch, capsys)
    assert run("doctor").code == 0
    said = run("enqueue", "hub.list_locations", "--account", "hub:IN-ABC")
    assert said.code == 0
    worker = subprocess.Popen(
        DRAMATIQ,
        cwd=ROOT,
        env=surroundings() | environment(url, sandbox) | {"PATH": str(Path(sys.executable).parent)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert run("jobs", "wait", said.out.strip(), "--timeout", "40s").code == 0
    finally:
        worker.terminate()
        worker.wait(40)
    assert worker.returncode == 0


@pytest.mark.slow
def test_a_store_that_goes_away_while_somebody_waits_is_said_in_one_line(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with EmbeddedServer.start(tmp_path) as own:
        environ = environment(own.url, sandbox)
        job = Terminal(environ, monkeypatch, capsys)("enqueue", "hub.list_locations", "--account", "hub:IN-ABC").out
        waiting = subprocess.Popen(
            [sys.executable, "-m", "worker", "jobs", "wait", job.strip()],
            cwd=ROOT,
            env=surroundings() | environ,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert waiting.stderr is not None
        assert "waits for: no worker is running" in waiting.stderr.readline()
        own.stop()
        _, said = waiting.communicate(timeout=60)
    assert waiting.returncode == 3
    assert said.startswith("paceline: the store does not answer (")
    assert len(said.splitlines()) == 1
