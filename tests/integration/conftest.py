"""Fixtures of the suites that drive the store's decisions themselves."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.integration.desk import ROOMY, Desk, account
from tests.integration.floor import Floor, Hands
from tests.integration.sandbox_caller import Moments
from worker.sandbox import faults, reception
from worker.store.composing import FOLDER
from worker.store.scripts import LineScripts, Scripts

Heard = list[tuple[str, dict[str, Any]]]


@pytest.fixture
def lua_folder() -> Path:
    """Where the scripts are; `test_rules_mutations.py` puts its own folder here."""
    return FOLDER


@pytest.fixture
def desk(store: "redis.Redis[bytes]", lua_folder: Path) -> Desk:
    """A desk on the emptied store, with one worker `w1` of eight threads and one roomy account."""
    made = Desk(store, lua_folder)
    made.hire()
    return made


@pytest.fixture
def told(desk: Desk) -> Desk:
    """A desk at which a receiver of callbacks is known."""
    desk.hire(accounts={**ROOMY, "callback:hooks.example": account("other", api="callback")}, digest="d2")
    return desk


@pytest.fixture
def full(desk: Desk) -> Iterator[Desk]:
    """A desk whose store the test makes full; it has room again afterwards."""
    yield desk
    desk.client.config_set("maxmemory", 0)


@pytest.fixture
def make_floor(store: "redis.Redis[bytes]", redis_url: str, lua_folder: Path) -> Iterator[Callable[..., Floor]]:
    """Makes brokers on the emptied store."""
    made: list[Floor] = []

    def make(**changes: Any) -> Floor:
        made.append(Floor(redis_url, folder=lua_folder, **changes))
        return made[-1]

    yield make
    for floor in made:
        floor.close()


@pytest.fixture
def floor(make_floor: Callable[..., Floor]) -> Floor:
    """A broker of four threads whose own clock stands still."""
    return make_floor(clock=Hands().clock)


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Heard:
    """What the store is asked from now on, in order."""
    found: Heard = []
    ask = Scripts.__call__

    def listen(self: Scripts, name: str, facts: Mapping[str, Any], *blobs: bytes | str) -> Any:
        found.append((name, dict(facts)))
        return ask(self, name, facts, *blobs)

    put = LineScripts.put

    def listen_first(self: LineScripts, name: str, facts: Mapping[str, Any], *blobs: bytes | str) -> Callable[[], Any]:
        found.append((name, dict(facts)))
        return put(self, name, facts, *blobs)

    monkeypatch.setattr(Scripts, "__call__", listen)
    monkeypatch.setattr(LineScripts, "put", listen_first)
    return found


@pytest.fixture
def small(make_floor: Callable[..., Floor]) -> Callable[..., Floor]:
    """Makes a floor whose lanes have no cap that would be in the way."""
    return lambda threads, **changes: make_floor(
        threads=threads, clock=Hands().clock, BROKER__LANE_CAP="1000", **changes
    )


@pytest.fixture
def moments(monkeypatch: pytest.MonkeyPatch) -> Moments:
    """The sandbox's clock, in the test's hand."""
    made = Moments()
    for module in (faults, reception):
        monkeypatch.setattr(module, "time", made)
    return made
