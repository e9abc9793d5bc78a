"""Plumbing of the embedded server: the process between a program and its server, which outlives the program.

Promises that the server ends when its last user has: each user holds a shared lock on `users.lock`, which the kernel
lets go when the process ends, however it ends; the guard waits for the exclusive one. Nothing is polled, no pid is
trusted, and a SIGKILL of every user is enough. Should the guard itself be killed, Linux takes the server along
(PR_SET_PDEATHSIG, set in the child of a single-threaded process, whose main thread lives as long as the process);
elsewhere the server then stays until somebody stops it.

Run by path with `python -I -S`, so that it starts in milliseconds: the standard library only, nothing of ours. Who may
start a guard, and how its server is found again, is decided in embedded.py.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import signal
import socket
import sys
import threading
import time

PORT_ATTEMPTS = 5
READY_AFTER_S = 60.0  # a long append-only file is read before the server answers
POLL_S = 0.005
LEAVE_AFTER_S = 5.0
PR_SET_PDEATHSIG = 1


class _NotReady(Exception):
    """The server ended, or did not answer in time."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def spawn(command: list[str], log: int, libc: ctypes.CDLL | None) -> int:
    """Fork and exec; between the two only calls that are safe in a process with one thread."""
    guard = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    try:
        os.dup2(log, 1)
        os.dup2(log, 2)
        if libc is not None:
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != guard:
                os._exit(1)
        os.execv(command[0], command)
    finally:
        os._exit(127)


def server_info(port: int) -> dict[str, str]:
    """What the server there says of itself; empty where none answers, or while it still reads its data."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1.0) as peer:
        peer.sendall(b"PING\r\nINFO server\r\nQUIT\r\n")
        reply = b"".join(iter(lambda: peer.recv(65536), b"")).decode("utf-8", "replace")
        if reply.startswith("+PONG"):
            return dict(line.split(":", 1) for line in reply.splitlines() if ":" in line)
    return {}


def answers(port: int, pid: int) -> bool:
    """Is it this server that answers there? Another one may have been quicker to the port."""
    return server_info(port).get("process_id") == str(pid)


def await_ready(pid: int, port: int) -> None:
    deadline = time.monotonic() + READY_AFTER_S
    while time.monotonic() < deadline:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            raise _NotReady(f"it ended at once with status {os.waitstatus_to_exitcode(status)}")
        if answers(port, pid):
            return
        time.sleep(POLL_S)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    raise _NotReady(f"it did not answer within {READY_AFTER_S:.0f} s")


def start(command: list[str], port: int | None, log: int) -> tuple[int, int]:
    """Start on the port asked for while that is free, else on another; a port can be lost between choice and bind."""
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    trouble = _NotReady("it was never started")
    for _ in range(PORT_ATTEMPTS):
        chosen = port if port is not None else free_port()
        pid = spawn([*command, "--port", str(chosen)], log, libc)
        try:
            await_ready(pid, chosen)
            return pid, chosen
        except _NotReady as error:
            trouble = error
            if port is not None:
                time.sleep(0.05)  # its last owner may still be letting go
    raise trouble


def end_with_last_user(users_lock: str, pid: int, leaving: threading.Event) -> None:
    """Block until nobody holds the users' lock, then end the server: politely, then surely."""
    fcntl.flock(os.open(users_lock, os.O_RDWR), fcntl.LOCK_EX)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGCONT)  # a frozen process hears nothing else
        if not leaving.wait(LEAVE_AFTER_S):
            os.kill(pid, signal.SIGKILL)


def tell(word: dict[str, object]) -> None:
    """One line to whoever started us, then nothing more: that process may be gone."""
    with contextlib.suppress(OSError):
        os.write(1, json.dumps(word).encode() + b"\n")
    quiet = os.open(os.devnull, os.O_RDWR)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)


def main(plan: dict[str, object]) -> int:
    """`plan`: command, port (or null), server_lock (an open descriptor), users_lock and log (paths)."""
    # A program may start us while it blocks signals (dramatiq does), and a mask survives exec.
    signal.pthread_sigmask(signal.SIG_SETMASK, set())
    command, port, server_lock = plan["command"], plan["port"], plan["server_lock"]
    assert isinstance(command, list) and isinstance(server_lock, int) and (port is None or isinstance(port, int))
    # The server inherits the folder's lock: it is free only when no server is left, orphans included.
    os.set_inheritable(server_lock, True)
    log = os.open(str(plan["log"]), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        pid, chosen = start(command, port, log)
    except _NotReady as error:
        tell({"error": str(error)})
        return 1
    tell({"pid": pid, "port": chosen})
    signal.signal(signal.SIGTERM, lambda _number, _frame: os.kill(pid, signal.SIGTERM))
    leaving = threading.Event()
    threading.Thread(target=end_with_last_user, args=(plan["users_lock"], pid, leaving), daemon=True).start()
    os.waitpid(pid, 0)
    leaving.set()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(json.loads(sys.argv[1])))
