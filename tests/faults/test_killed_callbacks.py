"""Workers are killed while they tell how jobs ended: every end is told, under one id, and none is made up."""

import json
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.conservation import assert_conserved
from tests.faults.fleet import Fleet, Process
from tests.faults.proxy import Proxy
from tests.faults.stage import STATUS, Stage, environment, until
from tests.integration.told_host import KEY, Host
from worker.sandbox.process import SandboxProcess
from worker.store.embedded import EmbeddedServer

JOBS = 120


@pytest.fixture
def host() -> Iterator[Host]:
    with Host() as made:
        yield made


@pytest.fixture
def told(store_server: EmbeddedServer, apis: SandboxProcess, tmp_path: Path, host: Host) -> Iterator[Stage]:
    """A stage whose callers may be told at one host."""
    own = {"PACELINE_CALLBACKS__HOSTS": json.dumps([host.name]), "PACELINE_CALLBACKS__SECRET": KEY}
    found = Stage(store_server, apis, environment(apis, store_server.url, **own), tmp_path)
    found.client.flushall()
    yield found
    found.close()


def assert_every_end_was_told(host: Host, jobs: list[str]) -> Counter[str]:
    """Each once by its id, or again by the same id, with the same content."""
    assert all(one.signed for one in host.told)
    bodies: dict[str, set[bytes]] = {}
    for one in host.told:
        bodies.setdefault(one.id, set()).add(one.body)
    assert set(bodies) == {f"{job}.c1" for job in jobs}
    assert {len(said) for said in bodies.values()} == {1}, "one id, one message"
    assert {one.data["state"] for one in host.told} == {"done"}
    return Counter(one.id for one in host.told)


@pytest.mark.slow
def test_a_worker_killed_while_it_tells_leaves_nothing_untold(
    told: Stage, host: Host, capsys: pytest.CaptureFixture[str]
) -> None:
    with Fleet(told.env, told.folder) as fleet:
        numbers = count(1)
        victims: dict[int, Process] = {}

        def kill_now_and_then() -> None:
            if (victim := victims.pop(next(numbers), None)) is not None:
                victim.kill_child()  # its request has arrived and is not answered yet

        host.before = kill_now_and_then
        jobs = told.enqueue(STATUS, JOBS, callback_url=host.url())
        for number in (20, 60):  # one after the other, and alone: so the request is the killed one's own
            victims[number] = fleet.launch()
            fleet.workers[-1].wait()
        assert not victims
        fleet.start(1)
        took = told.await_all_ended()
    assert told.states(jobs) == {"done": JOBS}
    assert told.states([f"{job}.c1" for job in jobs]) == {"done": JOBS}
    again = sum(n - 1 for n in assert_every_end_was_told(host, jobs).values())
    assert 2 <= again <= 16, "only what the killed ones had in hand is told again"
    assert told.counts()["accepted"] == 2 * JOBS
    assert_conserved(told.client, told.keys)
    with capsys.disabled():
        print(f"\n  {JOBS} ends told across two kills, the last {took:.1f} s after them; {again} of them twice")


@pytest.mark.slow
def test_an_end_that_was_not_recorded_is_told_once_it_is(told: Stage, host: Host) -> None:
    with Proxy(told.store.url) as proxy, Fleet(told.env, told.folder) as fleet:
        (worker,) = fleet.start(1, PACELINE_REDIS_URL=proxy.url)
        rule = proxy.swallow_request("finish", times=1000)  # however often it is said
        (job,) = told.enqueue(STATUS, callback_url=host.url())
        until(lambda: rule.struck > 0)
        worker.kill_child()
        worker.wait()
        assert host.told == [], "what is not recorded has not ended"
        fleet.start(1)
        told.await_all_ended()
    assert assert_every_end_was_told(host, [job]) == {f"{job}.c1": 1}
    assert told.arrivals(job) == 2
    assert_conserved(told.client, told.keys)


@pytest.mark.slow
def test_an_end_whose_confirmation_was_lost_is_recorded_and_told_once(told: Stage, host: Host) -> None:
    with Proxy(told.store.url) as proxy, Fleet(told.env, told.folder) as fleet:
        fleet.start(1, PACELINE_REDIS_URL=proxy.url)
        rule = proxy.lose_reply("finish", times=2)
        jobs = told.enqueue(STATUS, 2, callback_url=host.url())
        until(lambda: rule.struck == 2)
        told.await_all_ended()
    assert set(assert_every_end_was_told(host, jobs)) == {f"{job}.c1" for job in jobs}
    assert told.counts()["accepted"] == 4
    assert_conserved(told.client, told.keys)
