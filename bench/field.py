"""Bench, field: the store and the simulated API that all subjects of a measurement share, and the way in to Paceline.

It promises the same durability, limits and latency for everybody, and an empty store and log for each. Its scope ends
at the surroundings; measurements are in `quota.py`, `pickup.py` and `throughput.py`.
"""

import base64
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import redis

import tasks
from settings import load
from worker.accept.enqueue import Enqueuer, Wanted
from worker.sandbox.options import SUBSCRIPTIONS
from worker.sandbox.process import SandboxProcess
from worker.store.connection import connect
from worker.store.embedded import EmbeddedServer
from worker.store.keys import Keys
from worker.store.scripts import Scripts

ROOT = Path(__file__).parents[1]
STATUS = "stellantis.b2b.get_vehicle_status"
PATH = "/fleets/FLEET-1/vehicles/{vid}/status"
UNLIMITED = {"limit_per_day": 1_000_000_000, "limit_per_second": 1_000_000}

assert tasks.ROWS


class Field:
    """`apis` is the judge; `environ` is what a subject is started with; `more` are the simulated APIs' options."""

    def __init__(
        self,
        latency: dict[str, float] | None = None,
        unlimited: bool = False,
        limits: Mapping[str, float] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        options: dict[str, Any] = {"latency": {"hub": latency, "stellantis": latency}} if latency else {}
        options |= more or {}
        if unlimited or limits:
            options["subscriptions"] = [{**one, **UNLIMITED, **(limits or {})} for one in SUBSCRIPTIONS]
        self.apis = SandboxProcess(**options)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        self.store = self._stack.enter_context(EmbeddedServer.start(self.folder / "store"))
        self._stack.enter_context(self.apis)
        self.client: redis.Redis = self._stack.enter_context(connect(self.store.url))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def clear(self) -> None:
        """As if nothing had been here before."""
        self.client.flushall()
        self.client.config_resetstat()
        self.apis.reset()

    def environ(self, **more: str) -> dict[str, str]:
        """For a subject: where the store and the API are; for Paceline: its settings."""
        one = SUBSCRIPTIONS[0]
        basic = base64.b64encode(f"{one['username']}:{one['password']}".encode()).decode()
        path = f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}"
        return {
            "PATH": path,
            "PYTHONPATH": str(ROOT),
            "BENCH_STORE": self.store.url,
            "BENCH_API": f"{self.apis.stellantis_url}{PATH}?client_id={one['client_id']}",
            "BENCH_AUTHORIZATION": f"Basic {basic}",
            **self.settings(),
            **more,
        }

    def settings(self) -> dict[str, str]:
        """Paceline as it is installed, but for addresses."""
        return {
            "PACELINE_ENVIRONMENT": "test",
            "PACELINE_ON_EMPTY_STORE": "fresh",
            "PACELINE_REDIS_URL": self.store.url,
            **self.apis.environment(),
        }

    def desk(self) -> Enqueuer:
        """Where Paceline is asked for calls."""
        settings = load(self.settings())
        return Enqueuer(settings, self.client, Scripts(self.client, Keys(settings.partition)))

    def computed_s(self) -> float:
        """Seconds that the store's process has computed since it started, whatever for."""
        told: dict[str, Any] = self.client.info("cpu")
        return float(told["used_cpu_user"]) + float(told["used_cpu_sys"])

    def asked(self) -> tuple[int, int]:
        """How often the store was asked since it was cleared (scripts, blocking reads, transactions), and its µs."""
        told: dict[str, Any] = self.client.info("commandstats")
        found = [
            told[name] for one in ("evalsha", "eval", "blpop", "brpop", "exec") if (name := f"cmdstat_{one}") in told
        ]
        return sum(one["calls"] for one in found), sum(one["usec"] for one in found)


def procfile_line() -> list[str]:
    """How the Procfile starts a worker."""
    line = (ROOT / "Procfile").read_text(encoding="utf-8").splitlines()[0].partition(": ")[2]
    return ["/bin/sh", "-c", f"exec {line}"]


def wanted(count: int, accounts: int = 1) -> list[Wanted]:
    """Reads of cars' states, spread evenly over the first `accounts` subscriptions."""
    names = [f"stellantis:{one['name']}" for one in SUBSCRIPTIONS[:accounts]]
    return [
        Wanted(STATUS, names[number % accounts], {"fid": "FLEET-1", "vid": f"VEH-{number % 130 + 1:05d}"})
        for number in range(count)
    ]


def write_json(folder: Path, name: str, content: Any) -> Path:
    """Keeps figures for later comparison."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return path
