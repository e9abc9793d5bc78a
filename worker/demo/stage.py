"""Demo: everything that has to run: a store and a sandbox of its own, a web process, two workers; and the handles on
them.

Promise: each run has a private folder under `var/demo`; leaving the stage ends every process, whatever happened on it.
Scope: setting up, striking, and asking the store; what happens in between is the story's.
"""

from __future__ import annotations

import fcntl
import importlib
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from settings import load
from settings.surroundings import surroundings
from worker.accept.enqueue import Enqueuer, Wanted
from worker.accept.operation import operations
from worker.deliver.credentials import Credentials
from worker.demo import scenery
from worker.demo.supervisor import GRACE_S, ROOT, Process, procfile_line, stop_all
from worker.sandbox.process import SandboxProcess
from worker.store.connection import connect
from worker.store.embedded import EmbeddedServer
from worker.store.keys import Keys
from worker.store.scripts import Scripts

WORKERS = 2
READY_AFTER_S = 60.0
KEPT_S = 86_400.0


class Stage:
    """`with Stage() as stage:`"""

    def __enter__(self) -> Stage:
        self._exits = ExitStack()
        self.grace_s = GRACE_S
        try:
            self._set_up()
        except BaseException:
            self._exits.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._exits.close()

    def _set_up(self) -> None:
        self.workers: list[Process] = []
        self.folder = private_folder(ROOT / "var" / "demo")
        self.token_file = self.folder / "hub-token"
        self.environment_file = self.folder / "environment"
        self.store = self._exits.enter_context(EmbeddedServer.start(self.folder / "store", appendfsync="always"))
        self.sandbox = self._exits.enter_context(SandboxProcess(**scenery.sandbox_options()))
        port = free_port()
        chosen = scenery.environment(self.sandbox.environment(), self.folder, self.token_file, port)
        scenery.write_environment(self.environment_file, chosen)
        chosen = {**chosen, "PACELINE_REDIS_URL": self.store.url}
        self.settings = load(chosen)
        for name in self.settings.modules:
            importlib.import_module(name)
        self.credentials = Credentials(self.settings)
        self.keys = Keys(self.settings.partition)
        self.client = connect(self.store.url)
        self._exits.callback(self.client.close)
        self.scripts = Scripts(self.client, self.keys)
        self._enqueuer = Enqueuer(self.settings, self.client, self.scripts)
        self.jobs: dict[str, Wanted] = {}
        self._start_processes(surroundings() | chosen, port)

    def _start_processes(self, environ: dict[str, str], port: int) -> None:
        line = procfile_line("worker")
        self.workers = [Process(f"worker-{n + 1}", line, environ, self.folder) for n in range(WORKERS)]
        web = Process("web", procfile_line("web"), {**environ, "PORT": str(port)}, self.folder)
        self._exits.callback(lambda: stop_all([*self.workers, web], self.grace_s))
        for process in (*self.workers, web):
            process.start()
        self.wait(lambda: len(self.living()) == WORKERS, READY_AFTER_S, "both workers have said hello")
        self.wait(lambda: listens(port), READY_AFTER_S, "the web process listens")

    def wait(self, true: Callable[[], bool], timeout_s: float, what: str) -> None:
        """Until it is true; a time that is over ends the demo."""
        if not self.becomes(true, timeout_s):
            raise RuntimeError(f"waited {timeout_s:g} s in vain until {what}; the logs are in {self.folder}")

    def becomes(self, true: Callable[[], bool], timeout_s: float) -> bool:
        """Whether it is true in time. A worker that ends although nobody killed it ends the demo."""
        deadline = time.monotonic() + timeout_s
        while not true():
            for worker in self.workers:
                if worker.state != "killed" and worker.ended() is not None:
                    raise RuntimeError(f"{worker.name} ended with code {worker.ended()}; its logs are in {self.folder}")
            if time.monotonic() > deadline:
                return False
            time.sleep(0.03)
        return True

    # -- asking for calls ----------------------------------------------------------------------------------------------

    def enqueue(self, wanted: list[Wanted]) -> list[str]:
        """Accepted jobs, in order."""
        ids = [accepted.job_id for accepted in self._enqueuer.enqueue_many(wanted)]
        self.jobs |= dict(zip(ids, wanted, strict=True))
        return ids

    def write_token(self, token: str) -> None:
        """The eMSP's token, replaced in one step, as whoever manages secrets would."""
        renewed = self.token_file.with_suffix(".new")
        renewed.write_text(token, encoding="ascii")
        renewed.replace(self.token_file)

    def all_jobs(self) -> dict[str, tuple[str, str]]:
        """Every job there is with its account and operation: those asked for, and the pages that followed them."""
        asked = dict(self.jobs)
        chains = [job for job, wanted in asked.items() if operations[wanted.operation].paging]
        pipe = self.client.pipeline(transaction=False)
        for job in chains:
            pipe.lrange(self.keys("chain", job), 0, -1)
        found = {job: (wanted.account, wanted.operation) for job, wanted in asked.items()}
        for job, pages in zip(chains, pipe.execute(), strict=True):
            found |= {page.decode(): found[job] for page in pages}
        return found

    # -- asking the store ----------------------------------------------------------------------------------------------

    def states(self, jobs: list[str]) -> list[str]:
        """Read together, in one moment."""
        pipe = self.client.pipeline(transaction=True)
        for job in jobs:
            pipe.hget(self.keys("job", job), "state")
        return [state.decode() if state else "" for state in pipe.execute()]

    def waiting(self, jobs: list[str]) -> list[str]:
        return [job for job, state in zip(jobs, self.states(jobs), strict=True) if state == "waiting"]

    def text(self, name: str, *parts: str, field: str) -> str:
        found: Any = self.client.hget(self.keys(name, *parts), field)
        return found.decode() if found else ""

    def hash(self, name: str, *parts: str) -> dict[str, str]:
        found: Any = self.client.hgetall(self.keys(name, *parts))
        return {field.decode(): value.decode("utf-8", "replace") for field, value in found.items()}

    def living(self) -> dict[str, int]:
        """Worker processes the store knows, with their pids: only those that really run."""
        names: Any = self.client.zrange(self.keys("workers"), 0, -1)
        pids = {name.decode(): int(self.text("worker", name.decode(), field="pid") or 0) for name in names}
        return {name: pid for name, pid in pids.items() if any(worker.owns(pid) for worker in self.workers)}

    def holder(self, job: str) -> tuple[Process, int] | None:
        """Who has this job in hand: the Procfile's process, and the pid of its child that runs the threads."""
        lease = self.text("job", job, field="lease")
        record: Any = self.client.hget(self.keys("lease"), lease) if lease else None
        for name, pid in self.living().items():
            if record and name.encode() in record:
                return next(worker for worker in self.workers if worker.owns(pid)), pid
        return None

    def outbox(self) -> int:
        waiting: Any = self.client.zcard(self.keys("outbox"))
        return int(waiting)


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def listens(port: int) -> bool:
    """Does somebody listen there by now?"""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def private_folder(above: Path) -> Path:
    """A new folder that nobody else may read; those of yesterday go."""
    above.mkdir(parents=True, exist_ok=True)
    for old in above.iterdir():
        if old.is_dir() and time.time() - old.stat().st_mtime > KEPT_S and not in_use(old):
            shutil.rmtree(old, ignore_errors=True)
    name = tempfile.mkdtemp(prefix=time.strftime("%H%M%S-"), dir=above)
    os.chmod(name, 0o700)
    return Path(name)


def in_use(folder: Path) -> bool:
    """Does the store of that run still have a user? Somebody may look around in it, or a demo may have stayed up."""
    try:
        with (folder / "store" / "users.lock").open() as users:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False
