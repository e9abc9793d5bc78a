"""Walk: the demo as people run it, by `python -m worker demo`: it proves itself, and leaves nothing behind.

Its processes are known by a mark in their environment, which every child inherits, in whatever session it is.
"""

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from settings import load
from settings.surroundings import surroundings
from worker.deliver.credentials import Credentials
from worker.demo import scenery
from worker.demo.story import NEW_TOKEN
from worker.sandbox.server import Sandbox

ROOT = Path(__file__).resolve().parents[2]
DEMO = [sys.executable, "-m", "worker", "demo"]
CLAIMS = 10
RUN_S = 240.0
ORPHANS_S = 90.0
ENDS_S = 90.0
STAYING = "Staying up; Ctrl-C ends it."

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(2 * RUN_S),
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are found by /proc"),
]


class Marked:
    """An environment for one demo, and the processes that have it."""

    def __init__(self, **more: str) -> None:
        self._mark = f"DEMO_MARK={uuid.uuid4().hex}"
        name, _, value = self._mark.partition("=")
        self.env = {**surroundings(), "TERM": "xterm-256color", "DEMO_EXIT": "", name: value, **more}

    def processes(self) -> dict[int, str]:
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if self._mark.encode() in (folder / "environ").read_bytes().split(b"\0"):
                    found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
        return found

    def await_none(self) -> None:
        until(lambda: not self.processes(), ORPHANS_S, lambda: f"left behind: {self.processes()}")

    def end(self) -> None:
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


class OnTerminal:
    """A demo on a terminal of its own."""

    def __init__(self, marked: Marked) -> None:
        terminal, its_side = pty.openpty()
        fcntl.ioctl(its_side, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
        self.said = ""
        self._terminal = terminal
        self.process = subprocess.Popen(
            DEMO, cwd=ROOT, env=marked.env, stdin=its_side, stdout=its_side, stderr=its_side, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        os.close(its_side)

    def __enter__(self) -> "OnTerminal":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._terminal)

    def read(self, timeout_s: float = 0.2) -> bool:
        """False once nobody writes any more."""
        if select.select([self._terminal], [], [], timeout_s)[0]:
            try:
                self.said += os.read(self._terminal, 65536).decode(errors="replace")
            except OSError:
                return False
        return True

    def until_said(self, words: str, timeout_s: float = RUN_S) -> None:
        until(lambda: not self.read() or words in self.said, timeout_s, lambda: self.said[-2000:])
        assert words in self.said

    def press_ctrl_c(self) -> None:
        os.write(self._terminal, b"\x03")

    def await_end(self) -> int:
        """Its exit code, once all that it said has been read."""
        until(lambda: not self.read() or self.process.poll() is not None, ENDS_S, lambda: self.said[-2000:])
        code = self.process.wait(ENDS_S)
        said = -1
        while said < len(self.said):
            said = len(self.said)
            self.read(0)
        return code


def until(happened: Callable[[], bool], timeout_s: float, otherwise: Callable[[], str]) -> None:
    deadline = time.monotonic() + timeout_s
    while not happened():
        assert time.monotonic() < deadline, f"after {timeout_s} s: {otherwise()}"
        time.sleep(0.05)


def plain(text: str) -> list[str]:
    """Lines as they can be copied from a terminal."""
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text).replace("\r", "").splitlines()


def commands_in(lines: list[str]) -> list[str]:
    """What is printed indented at the end, to be copied."""
    start = next(number for number, line in enumerate(lines) if line.startswith("Look around"))
    return [line.strip() for line in lines[start:] if line.startswith("  ")]


def secrets() -> set[str]:
    """In every spelling, as the workers know them."""
    with Sandbox(**scenery.sandbox_options()) as sandbox:
        settings = load({**sandbox.environment(), "PACELINE_ENVIRONMENT": "demo"})
        return {*Credentials(settings).secrets(), NEW_TOKEN}


@pytest.fixture
def marked() -> Iterator[Marked]:
    found = Marked()
    yield found
    found.end()


@pytest.fixture
def other() -> Iterator[Marked]:
    found = Marked(DEMO_EXIT="1")
    yield found
    found.end()


def test_two_demos_at_once_prove_themselves_and_what_they_print_works(marked: Marked, other: Marked) -> None:
    begun = time.monotonic()
    with OnTerminal(marked) as shown:
        piped = subprocess.Popen(DEMO, cwd=ROOT, env=other.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        shown.until_said(STAYING)
        said = piped.communicate(timeout=RUN_S)[0].decode()
        print(f"two demos at once took {time.monotonic() - begun:.0f} s")
        other.await_none()

        assert piped.returncode == 0, said[-4000:]
        lines = said.splitlines()
        assert sum(line.startswith(("✓", "✗")) for line in lines) == CLAIMS
        assert f"{CLAIMS} of {CLAIMS} claims kept." in said
        assert f"{CLAIMS} of {CLAIMS} claims kept." in shown.said
        assert "\x1b" not in said
        assert [secret for secret in secrets() if secret in said or secret in shown.said] == []

        check_commands(commands_in(plain(shown.said)), "its processes run")
        check_commands(commands_in(lines), "its processes have ended")
        check_the_record_can_fail(lines)
        assert shape_of(lines) == shape_of((ROOT / "README.md").read_text(encoding="utf-8").splitlines())

        assert len(marked.processes()) >= 6, "it stays up with its store, sandbox and workers"
        shown.press_ctrl_c()
        assert shown.await_end() == 0
    marked.await_none()


def shape_of(lines: list[str]) -> list[str]:
    """What the demo's end says, without its figures and without its alerts, which depend on what happened when."""
    start = lines.index("What the other side counted, in exact sliding windows")
    told = lines.index("What a person was told", start)
    claims = lines.index("Claims, checked against the other side's log", told)
    kept = next(at for at in range(claims, len(lines)) if " claims kept." in lines[at])
    shown = [*lines[start:told], *lines[claims : kept + 1]]
    return [" ".join(re.sub(r"[\d.,]+", "#", line).split()) for line in shown if line.strip()]


def check_commands(commands: list[str], when: str) -> None:
    """In one shell, one after the other, as somebody would paste them."""
    assert len(commands) >= 5
    pasted = "set -e\n" + "\n".join(commands)
    done = subprocess.run(
        ["sh", "-c", pasted], cwd=ROOT, env=surroundings(), capture_output=True, text=True, timeout=RUN_S
    )
    assert done.returncode == 0, f"while {when}: {done.stdout[-2000:]} {done.stderr[-2000:]}"
    assert "consent_needed" in done.stdout
    assert f"{CLAIMS} of {CLAIMS} claims kept." in done.stdout


def check_the_record_can_fail(lines: list[str]) -> None:
    """The same record with one arrival more than the limit allows is refused."""
    folder = next(line.rpartition(" ")[2] for line in commands_in(lines) if " demo --check " in line)
    path = ROOT / folder / "record.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    (limit,) = {row["limit"] for row in record["limits"] if row["window"] == "commands"}
    one = next(row for row in record["arrivals"] if row["windows"] == ["commands"] and not row["foreign"])
    record["arrivals"] += [one] * limit
    path.write_text(json.dumps(record), encoding="utf-8")
    done = subprocess.run([*DEMO, "--check", folder], cwd=ROOT, env=surroundings(), capture_output=True, text=True)
    assert done.returncode == 1
    assert "✗ no window was exceeded by us" in done.stdout


def test_ctrl_c_in_the_middle_ends_every_process(marked: Marked) -> None:
    with OnTerminal(marked) as shown:
        shown.until_said("2/11")
        shown.press_ctrl_c()
        assert shown.await_end() == 130
    assert "Traceback" not in shown.said
    assert "every process has been ended" in shown.said
    marked.await_none()


def test_ctrl_c_before_anything_runs_ends_every_process(marked: Marked) -> None:
    with OnTerminal(marked) as shown:
        shown.until_said("Starting")
        shown.press_ctrl_c()
        assert shown.await_end() == 130
    assert "Traceback" not in shown.said
    marked.await_none()


def test_a_demo_that_is_killed_leaves_no_process(marked: Marked) -> None:
    with subprocess.Popen(DEMO, cwd=ROOT, env=marked.env, stdout=subprocess.PIPE) as demo:
        assert demo.stdout is not None
        while b"1/11" not in demo.stdout.readline():
            assert demo.poll() is None
        assert len(marked.processes()) >= 6
        demo.kill()
    marked.await_none()
