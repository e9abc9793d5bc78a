"""What suites share: a real store on a port of its own choice, emptied before each test, and both APIs, simulated."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import hypothesis
import pytest
import redis

from worker.store.embedded import EmbeddedServer

if TYPE_CHECKING:
    from worker.sandbox.server import Sandbox

# The same examples in every run, so that a change is judged by what it changed; and none is judged by how long it takes
# on this machine. Others are looked for on purpose: `pytest --hypothesis-profile explore`.
patient = {"deadline": None, "suppress_health_check": [hypothesis.HealthCheck.too_slow]}
hypothesis.settings.register_profile("steady", derandomize=True, **patient)
hypothesis.settings.register_profile("explore", derandomize=False, **patient)
hypothesis.settings.load_profile("steady")


@pytest.fixture(scope="session")
def store_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """One server for the session. A test that stops, kills or freezes a server starts one of its own."""
    with EmbeddedServer.start(tmp_path_factory.mktemp("store"), extra=["--enable-debug-command", "local"]) as server:
        yield server


@pytest.fixture
def redis_url(store_server: EmbeddedServer) -> str:
    return store_server.url


@pytest.fixture
def store(redis_url: str) -> Iterator["redis.Redis[bytes]"]:
    """A client of the store, which is empty when the test begins."""
    with redis.Redis.from_url(redis_url, decode_responses=False) as client:
        client.flushall()
        yield client


@pytest.fixture
def sandbox() -> Iterator["Sandbox"]:
    from worker.sandbox.server import Sandbox

    with Sandbox() as running:
        yield running
