"""The embedded server, started and killed for real: one per folder, data that stays, and no orphans."""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from worker.errors import StoreUnavailable
from worker.store.embedded import EmbeddedServer, find_binary

ROOT = Path(__file__).parents[2]

USER = """
import json, sys
from pathlib import Path
from worker.store.embedded import EmbeddedServer
kind, folder = sys.argv[1:]
server = getattr(EmbeddedServer, kind)(Path(folder))
guard = server._guard.pid if server._guard else None
print(json.dumps({"pid": server.pid, "port": server.port, "guard": guard}), flush=True)
sys.stdin.read()
"""


class User:
    """A program of its own that uses a server until its stdin is closed, or until it is killed."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", USER, kind, str(folder)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def server(self) -> dict[str, int]:
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], 30)
        assert ready, "the program did not say where its server is"
        return json.loads(self.process.stdout.readline())

    def leave(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(60)

    def killed(self) -> None:
        self.process.kill()
        self.process.wait(60)

    def closed(self) -> None:
        self.killed()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


@pytest.fixture
def user(tmp_path: Path) -> Iterator[Callable[[str], User]]:
    with contextlib.ExitStack() as leaving:

        def begin(kind: str) -> User:
            program = User(kind, tmp_path)
            leaving.callback(program.closed)
            return program

        yield begin


def runs(pid: int) -> bool:
    """A zombie does not run: where PID 1 does not reap, the pid of an ended process stays in the table."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(state.strip()) and not state.strip().startswith("Z")


def ends(pid: int, within_s: float = 60.0) -> bool:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if not runs(pid):
            return True
        time.sleep(0.02)
    return False


def client(port: int) -> "redis.Redis[bytes]":
    return redis.Redis(port=port, socket_timeout=30, retry=Retry(NoBackoff(), 0))


def test_the_wheel_ships_a_binary_that_can_be_run() -> None:
    assert os.access(find_binary(), os.X_OK)


def test_the_server_keeps_every_write_listens_on_loopback_and_never_evicts(tmp_path: Path) -> None:
    with EmbeddedServer.start(tmp_path, appendfsync="always") as server, client(server.port) as store:
        told = {
            name: value
            for option in ("append*", "save", "bind", "maxmemory-policy", "protected-mode", "dir")
            for name, value in store.config_get(option).items()
        }
        assert server.version.startswith("valkey ")
        assert server.port != 6379
    expected = {
        "appendonly": "yes", "appendfsync": "always", "save": "", "bind": "127.0.0.1",
        "maxmemory-policy": "noeviction", "protected-mode": "yes", "dir": str(tmp_path),
    }  # fmt: skip
    assert {name: told[name] for name in expected} == expected


def test_options_of_a_test_reach_the_server(tmp_path: Path) -> None:
    with EmbeddedServer.start(tmp_path, extra=["--maxmemory", "64mb"]) as server, client(server.port) as store:
        assert store.config_get("maxmemory") == {"maxmemory": str(64 * 1024 * 1024)}


def test_an_option_the_server_does_not_know_is_named_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="no-such-option"):
        EmbeddedServer.start(tmp_path, extra=["--no-such-option", "1"])


def test_eight_programs_starting_at_once_share_one_server(user: Callable[[str], User]) -> None:
    found = [program.server() for program in [user("shared") for _ in range(8)]]
    assert len({(server["pid"], server["port"]) for server in found}) == 1
    assert runs(found[0]["pid"])


def test_eight_threads_starting_servers_of_their_own_get_eight(tmp_path: Path) -> None:
    servers: list[EmbeddedServer] = []
    threads = [
        threading.Thread(target=lambda n=n: servers.append(EmbeddedServer.start(tmp_path / str(n)))) for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()  # the server of a thread outlives it
    alive = [runs(server.pid) for server in servers]
    for server in servers:
        server.stop()
    assert alive == [True] * 8
    assert len({server.port for server in servers}) == 8
    assert not any(runs(server.pid) for server in servers)


def test_a_shared_server_stays_while_one_user_is_left_and_goes_with_the_last(user: Callable[[str], User]) -> None:
    first, second = user("shared"), None
    server = first.server()
    second = user("shared")
    assert second.server()["pid"] == server["pid"]
    first.killed()
    with client(server["port"]) as store:
        assert store.ping()
    second.leave()
    assert ends(server["pid"])


@pytest.mark.parametrize("kind", ["start", "shared"])
def test_a_killed_program_leaves_no_server_behind(user: Callable[[str], User], kind: str) -> None:
    program = user(kind)
    server = program.server()
    program.killed()
    assert ends(server["pid"])


def test_a_killed_program_leaves_no_frozen_server_behind(user: Callable[[str], User]) -> None:
    program = user("start")
    server = program.server()
    os.kill(server["pid"], signal.SIGSTOP)
    program.killed()
    assert ends(server["pid"])


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_a_killed_guard_takes_the_server_along(user: Callable[[str], User]) -> None:
    server = user("start").server()
    os.kill(server["guard"], signal.SIGKILL)
    assert ends(server["pid"])


def test_the_server_ends_although_its_starter_blocks_signals(tmp_path: Path) -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    try:
        server = EmbeddedServer.start(tmp_path)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    server.stop()
    assert not runs(server.pid)
    assert "bye bye" in (tmp_path / "server.log").read_text(), "it was asked, and not killed"


def test_a_restart_keeps_the_data_and_the_port(tmp_path: Path) -> None:
    with EmbeddedServer.start(tmp_path) as server:
        before = server.pid, server.port
        with client(server.port) as store:
            store.set("kept", "yes")
        server.restart()
        with client(server.port) as store:
            assert store.get("kept") == b"yes"
        assert (server.pid != before[0], server.port) == (True, before[1])


def test_a_crash_loses_nothing_that_was_answered_and_the_next_server_takes_the_same_port(tmp_path: Path) -> None:
    with EmbeddedServer.start(tmp_path) as server:
        port = server.port
        with client(port) as store:
            store.set("kept", "yes")
        server.kill()
        with pytest.raises(redis.ConnectionError), client(port) as store:
            store.ping()
        server.restart()
        assert server.port == port
        with client(port) as store:
            assert store.get("kept") == b"yes"


def test_the_address_a_killed_server_left_is_not_believed(tmp_path: Path, user: Callable[[str], User]) -> None:
    program = user("shared")
    dead = program.server()
    os.kill(dead["pid"], signal.SIGKILL)
    assert ends(dead["pid"])
    with EmbeddedServer.shared(tmp_path) as server, client(server.port) as store:
        assert server.pid != dead["pid"]
        assert server.port == dead["port"]
        assert store.ping()


def test_a_port_that_somebody_else_took_meanwhile_is_given_up(tmp_path: Path) -> None:
    with EmbeddedServer.start(tmp_path / "other") as other:
        (tmp_path / "store").mkdir()
        (tmp_path / "store" / "server.json").write_text(json.dumps({"pid": other.pid, "port": other.port}))
        with EmbeddedServer.shared(tmp_path) as server:
            assert server.pid != other.pid
            assert server.port != other.port


def test_an_unreadable_address_is_not_believed(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "server.json").write_text("{")
    with EmbeddedServer.shared(tmp_path) as server, client(server.port) as store:
        assert store.ping()


def test_a_frozen_server_answers_nothing_until_it_is_thawed(tmp_path: Path) -> None:
    with EmbeddedServer.start(tmp_path) as server:
        server.freeze()
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as peer:
            peer.sendall(b"PING\r\n")
            silent = not select.select([peer], [], [], 0.3)[0]
            server.thaw()
            assert silent
            assert peer.recv(16).startswith(b"+PONG")


def test_a_folder_that_is_in_use_is_refused_with_its_pid(tmp_path: Path) -> None:
    with EmbeddedServer.start(tmp_path) as server, pytest.raises(StoreUnavailable, match=rf"in use .*{server.pid}"):
        EmbeddedServer.start(tmp_path)


def test_a_file_in_place_of_the_folder_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(StoreUnavailable, match=r"data cannot hold the data .* it is a file; name .* PACELINE_VAR_DIR"):
        EmbeddedServer.start(tmp_path / "data")


def test_a_folder_whose_name_has_blanks_and_quotes_is_a_folder_like_any_other(tmp_path: Path) -> None:
    with EmbeddedServer.start(tmp_path / 'a "b" c') as server, client(server.port) as store:
        assert store.ping()


def test_stopping_twice_is_stopping_once(tmp_path: Path) -> None:
    server = EmbeddedServer.start(tmp_path)
    server.stop()
    server.stop()
    assert not runs(server.pid)
