"""Worker processes as an operator starts them: by the Procfile's own line, each with a master and its child."""

import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

ROOT = Path(__file__).parents[2]
PATIENCE_S = 90.0
"""For what must happen, and soon does: several times what a slow machine that is busy with other things may need."""


def worker_command(threads: int = 8) -> list[str]:
    """The Procfile's worker line, its one variable replaced, run with this interpreter's own dramatiq."""
    line = re.search(r"^worker: (.+)$", (ROOT / "Procfile").read_text(encoding="utf-8"), re.MULTILINE)
    assert line is not None, "the Procfile has no worker"
    words = shlex.split(line[1].replace("${PACELINE_THREADS:-8}", str(threads)))
    assert words[0] == "dramatiq"
    return [str(Path(sys.executable).with_name("dramatiq")), *words[1:]]


def is_gone(pid: int) -> bool:
    """Whether no such process runs any more; one that has ended and waits to be asked for has."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state in "ZX"


def children_of(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
    return []


class Process:
    """One worker: dramatiq's master and the child that runs jobs."""

    def __init__(self, environ: Mapping[str, str], log: Path, threads: int = 8) -> None:
        self.log = log
        self._out = log.with_suffix(".out")
        with log.open("wb") as err, self._out.open("wb") as out:
            self._master = subprocess.Popen(
                worker_command(threads),
                cwd=ROOT,
                env=dict(environ),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,  # a group of its own, which a platform may signal whole
            )
        self.master = self._master.pid
        self._child = 0

    @property
    def child(self) -> int:
        """The process that runs jobs."""
        deadline = time.monotonic() + PATIENCE_S
        while not self._child and time.monotonic() < deadline:
            self._child = next(iter(children_of(self.master)), 0)
            time.sleep(0.01)
        assert self._child, f"the worker has no child:\n{self.text()}"
        return self._child

    def text(self) -> str:
        """What master and child wrote to stderr."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def await_text(self, words: str, timeout_s: float = PATIENCE_S) -> None:
        deadline = time.monotonic() + timeout_s
        while words not in self.text():
            assert time.monotonic() < deadline, f"the worker never said {words!r}:\n{self.text()}"
            time.sleep(0.02)

    def await_ready(self) -> None:
        self.await_text("ready for action")
        assert self.child

    def kill_child(self) -> None:
        os.kill(self.child, signal.SIGKILL)

    def kill_master(self) -> None:
        assert self.child
        self._master.kill()
        self._master.wait(PATIENCE_S)

    def freeze(self) -> None:
        os.kill(self.child, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.child, signal.SIGCONT)

    def terminate(self) -> None:
        """SIGTERM to the master, as a platform sends it."""
        self._master.terminate()

    def terminate_group(self) -> None:
        """SIGTERM to master and child alike, as process managers and some platforms send it."""
        assert self.child
        os.killpg(self.master, signal.SIGTERM)

    def wait(self, timeout_s: float = PATIENCE_S) -> int:
        """The master's exit code."""
        return self._master.wait(timeout_s)

    def await_child_gone(self) -> float:
        """Seconds until the child has ended."""
        began = time.monotonic()
        while not is_gone(self.child):
            assert time.monotonic() - began < PATIENCE_S, f"the child still runs after {PATIENCE_S} s:\n{self.text()}"
            time.sleep(0.02)
        return time.monotonic() - began

    def end(self) -> None:
        """Ends what is left of it, at once."""
        for pid in [*children_of(self.master), *([self._child] if self._child else [])]:
            if not is_gone(pid):
                os.kill(pid, signal.SIGKILL)
        if self._master.poll() is None:
            self._master.kill()
        self._master.wait(PATIENCE_S)


class Fleet:
    """Several workers under one environment. Leaving the context ends them all, at once."""

    def __init__(self, environ: Mapping[str, str], folder: Path) -> None:
        self._environ = dict(environ)
        self._folder = folder
        self.workers: list[Process] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            worker.end()

    def launch(self, threads: int = 8, **changes: str) -> Process:
        """Starts one worker without waiting for it; `changes` are variables of its own."""
        log = self._folder / f"worker-{len(self.workers)}.log"
        worker = Process(self._environ | changes, log, threads)
        self.workers.append(worker)
        return worker

    def start(self, count: int, threads: int = 8, **changes: str) -> list[Process]:
        """Starts workers and waits until all are ready."""
        started = [self.launch(threads, **changes) for _ in range(count)]
        for worker in started:
            worker.await_ready()
        return started
