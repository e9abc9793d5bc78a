"""A replica takes over that had not heard of the last moments. What they held is lost, and may be made again where that
does no harm; no window overflows on that account, and somebody is told.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.conservation import assert_conserved
from tests.faults.fleet import Fleet
from tests.faults.proxy import Proxy
from tests.faults.replica import Replica
from tests.faults.stage import START, STATUS, Stage, alerts_of_the_store, until
from tests.faults.stages import MakeStage
from worker.store.connection import describe_server

LIMITS = {"commands": (6, 3.0), "calls.second": (20, 1)}


@contextmanager
def stage_on(replica: Replica, stage: Stage) -> Iterator[Stage]:
    """The same stage as seen on the replica."""
    seen = Stage(replica.server, stage.apis, stage.env, stage.folder)
    try:
        yield seen
    finally:
        seen.close()


@pytest.mark.slow
@pytest.mark.parametrize("primary", ["dies", "is demoted", "dies and the replica restarts"])
def test_a_replica_that_lagged_takes_over_and_no_window_overflows_and_no_command_goes_out_twice(
    make_stage: MakeStage, primary: str, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = make_stage("always", {"limits": LIMITS})
    stage.apis.fault("delay", {"operation": START}, times=3, delay_s=0.2)
    with (
        Replica(stage.store, stage.folder / "replica") as replica,
        Proxy(stage.store.url) as address,
        stage_on(replica, stage) as after,
        Fleet(stage.env | {"PACELINE_REDIS_URL": address.url}, stage.folder) as fleet,
    ):
        workers = fleet.start(2)
        warm = stage.enqueue(STATUS, 5)
        until(lambda: stage.states(warm) == {"done": 5})
        stage.freeze(*workers)
        waiting, starts = stage.enqueue(STATUS, 60), stage.enqueue(START, 8)
        until(lambda: after.states(waiting + starts) == {"waiting": 68})
        replica.lag()  # it knows that they wait, and will not hear how they end
        for worker in workers:
            worker.thaw()
        until(lambda: stage.states(starts)["done"] >= 6 and stage.states(waiting)["done"] >= 10)
        lost = stage.enqueue(STATUS, 5, priority="bulk")
        went = time.monotonic()
        demoted = primary == "is demoted"
        if not demoted:
            stage.store.kill()
        replica.take_over(demotes=demoted)
        if demoted:
            time.sleep(1.0)  # in which it answers READONLY to everybody
        elif primary != "dies":
            replica.restart()
            assert describe_server(replica.client).durable, "by what it says of itself it is to be believed"
        assert after.states(starts) == {"waiting": 8}
        address.lead_to(replica.server.url)
        until(lambda: set(alerts_of_the_store(after)) == {"suspect:restart"})
        after.await_all_ended()
        took = time.monotonic() - went
        assert after.states(starts) == {"done": 8}
        assert after.states(warm + waiting) == {"done": 65}
        assert after.states(lost)["done"] <= 5
        assert alerts_of_the_store(after) == {"suspect:restart": "resolved"}
        after.assert_each_sent_once(starts)
        verdict = stage.assert_within_limits()
        assert after.crashes() == 0
        assert_conserved(after.client, after.keys)
        gone = after.states(lost)["nowhere"]
    with capsys.disabled():
        print(
            f"\n  the primary {primary}: everything had ended {took:.1f} s later; {verdict['jobs']['repeated']} of 65 "
            f"reads were made again, {gone} calls of the last moments lost"
        )


def test_a_store_that_was_a_replica_is_never_believed_to_have_forgotten_nothing(make_stage: MakeStage) -> None:
    """However carefully it writes down what it has: what the primary had not sent it, it never had."""
    stage = make_stage("always")
    assert describe_server(stage.client).durable
    with Replica(stage.store, stage.folder / "replica") as replica:
        assert not describe_server(stage.client).durable
        replica.client.execute_command("REPLICAOF", "NO", "ONE")
        server = describe_server(replica.client)
    assert (server.role, server.replicas, server.append_only, server.fsync) == ("master", 0, True, "always")
    assert server.promoted
    assert not server.durable
    assert "failover" in server.promise
