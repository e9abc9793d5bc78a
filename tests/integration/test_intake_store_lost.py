"""Nothing that was answered with 202 is lost, whatever becomes of the store meanwhile."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.integration.intake import READ, serving
from worker.store.connection import connect
from worker.store.embedded import EmbeddedServer
from worker.store.keys import Keys

CALLERS, EACH = 8, 60


def test_what_was_accepted_survives_the_stores_death_and_what_was_not_can_be_asked_again(tmp_path: Path) -> None:
    with EmbeddedServer.start(tmp_path, appendfsync="always") as store, serving(store.url) as web:
        gate, killed = threading.Event(), threading.Event()
        refusals: list[int] = []

        def ask(caller: int) -> dict[str, str]:
            """Asks until each of its calls is accepted; which job stands for which key."""
            jobs = {}
            for n in range(EACH):
                key = f"{caller}-{n}"
                until = time.monotonic() + 40
                while (said := web.post(READ, idempotency_key=key)).status != 202:
                    refusals.append(said.status)
                    assert said.problem == "unavailable" and time.monotonic() < until
                    time.sleep(0.05)
                jobs[key] = said.json["id"]
                if n == EACH // 3:
                    gate.set()
                if n == EACH // 2:
                    killed.wait(40)
            return jobs

        with ThreadPoolExecutor(CALLERS) as pool:
            asked = [pool.submit(ask, caller) for caller in range(CALLERS)]
            assert gate.wait(40)
            store.kill()
            killed.set()
            until = time.monotonic() + 40
            while not refusals:
                assert time.monotonic() < until
                time.sleep(0.01)
            store.restart()
            jobs = {key: job for one in asked for key, job in one.result().items()}
        assert set(refusals) == {503}
        with connect(store.url) as client:
            key = Keys()
            assert len(set(jobs.values())) == len(jobs) == CALLERS * EACH
            assert all(client.hget(key("job", job), "state") == b"waiting" for job in jobs.values())
            assert client.zcard(key("deadlines")) == len(jobs), "and none was stored twice"
