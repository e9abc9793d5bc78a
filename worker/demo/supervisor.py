"""Demo: worker processes as a supervisor runs them: by the Procfile's own lines, each in a session of its own.

Promise: a process that ends is noticed and can be started again; none outlives the demo, even where the demo is killed.
For that each session holds one more shell that waits for a pipe to close and then ends everything in its session.
Scope: starting, stopping, and the accidents of the story.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from honcho.environ import parse_procfile

ROOT = Path(__file__).resolve().parents[2]
LEASH = "exec 3<&0 </dev/null; (read -r word <&3; kill -KILL 0) & exec 3<&-; exec "
GRACE_S = 15.0


def procfile_line(kind: str) -> str:
    """The command of one process type, as it stands in the Procfile."""
    line: str = parse_procfile((ROOT / "Procfile").read_text(encoding="utf-8")).processes[kind]
    return line


class Process:
    """One process of the Procfile, its output in two files of `folder`."""

    def __init__(self, name: str, line: str, environ: Mapping[str, str], folder: Path) -> None:
        self.name = name
        self.state = "starting"
        self._line = line
        # The Procfile says `dramatiq`: the one beside the interpreter that runs the demo.
        self._environ = {
            **environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{environ.get('PATH', os.defpath)}",
        }
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """By a shell, because the line has a shell's `${NAME:-default}` in it."""
        out, err = (self._folder / f"{self.name}.{end}" for end in ("jsonl", "log"))
        with out.open("ab") as stdout, err.open("ab") as stderr:
            self._process = subprocess.Popen(
                ["sh", "-c", LEASH + self._line],
                stdin=subprocess.PIPE,
                stdout=stdout,
                stderr=stderr,
                cwd=ROOT,
                env=self._environ,
                start_new_session=True,
            )
        self.state = "running"

    @property
    def pid(self) -> int:
        """The master's: leader of the session its workers are in."""
        return self._process.pid if self._process else 0

    def owns(self, pid: int) -> bool:
        """Is this a process of ours?"""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            return os.getsid(pid) == self.pid
        return False

    def ended(self) -> int | None:
        """The exit code, once the master has ended."""
        return self._process.poll() if self._process else None

    def await_end(self, timeout_s: float) -> int | None:
        """The exit code, or None when it still runs after that time."""
        if self._process is None:
            return None
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(timeout_s)
        return None

    def restart(self) -> None:
        """As a supervisor does when a process has ended."""
        self.end()
        self.start()

    def ask_to_stop(self) -> None:
        """SIGTERM, as a platform does: the worker drains."""
        if self._process is not None and self._process.poll() is None:
            self._signal_session(signal.SIGCONT)
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()

    def end(self) -> None:
        """At once, with everything in the session, the leash too."""
        if self._process is None:
            return
        self._signal_session(signal.SIGKILL)
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()
        self._process = None
        self.state = "ended"

    def _signal_session(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)


def stop_all(processes: list[Process], grace_s: float = GRACE_S) -> None:
    """Ask all, wait for all; who is not gone by then, or when somebody gets impatient, is ended."""
    deadline = time.monotonic() + grace_s
    try:
        for process in processes:
            process.ask_to_stop()
        for process in processes:
            process.await_end(max(0.0, deadline - time.monotonic()))
    finally:
        for process in processes:
            process.end()
