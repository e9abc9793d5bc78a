"""Fixtures: both APIs once per session, a store of its own for each test that breaks it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.stage import Stage, environment
from worker.sandbox.process import SandboxProcess
from worker.store.embedded import EmbeddedServer

MakeStage = Callable[..., Stage]
WHOLE_TEST_S = 400.0
"""Longer than what a test waits for, one after the other, takes on a slow machine: what is late is said by its name."""


def allow_for_slow_machines(items: list[pytest.Item], conftest: str) -> None:
    """Tests beside this conftest have as long as that, but for those that say for how long themselves."""
    for item in items:
        if Path(conftest).parent in item.path.parents and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(WHOLE_TEST_S))


@pytest.fixture(scope="session")
def shared_apis() -> Iterator[SandboxProcess]:
    with SandboxProcess() as running:
        yield running


@pytest.fixture
def apis(shared_apis: SandboxProcess) -> Iterator[SandboxProcess]:
    """Both APIs, with nothing arrived and no fault in force."""
    shared_apis.reset()
    yield shared_apis
    shared_apis.clear_faults()
    for api in ("hub", "stellantis"):
        shared_apis.latency(api, fixed_ms=0)


@pytest.fixture
def stage(store_server: EmbeddedServer, apis: SandboxProcess, tmp_path: Path) -> Iterator[Stage]:
    """A stage on the session's store, which is emptied; nothing may break that store."""
    found = Stage(store_server, apis, environment(apis, store_server.url), tmp_path)
    found.client.flushall()
    yield found
    found.close()


@pytest.fixture
def make_stage(tmp_path: Path) -> Iterator[MakeStage]:
    """Makes a stage with a store, and both APIs, of its own."""
    made: list[tuple[Stage, SandboxProcess, EmbeddedServer]] = []

    def make(
        fsync: str = "everysec", apis_options: dict[str, Any] | None = None, quick: bool = True, **changes: str
    ) -> Stage:
        store = EmbeddedServer.start(tmp_path / "store", fsync)  # type: ignore[arg-type]
        apis = SandboxProcess(**(apis_options or {})).start()
        found = Stage(store, apis, environment(apis, store.url, quick, **changes), tmp_path)
        made.append((found, apis, store))
        return found

    yield make
    for found, apis, store in made:
        found.close()
        apis.stop()
        store.stop()
