"""One worker process's side of the broker without its threads: a real broker on a real store, asked by hand.

Nothing runs in the background, so nothing has to be waited for: a test takes a job with `next`, sets its fate, and
acknowledges it, as dramatiq's threads would.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dramatiq
import redis
from dramatiq import MessageProxy
from dramatiq.broker import global_broker

import tasks
from settings import Settings, load
from tests.conservation import assert_conserved
from worker.accept.enqueue import Wanted
from worker.broker.broker import PacelineBroker
from worker.broker.card import JobMessage
from worker.broker.consumer import JobConsumer
from worker.clock import SYSTEM, Clock
from worker.fail.fate import Fate, answered
from worker.store.composing import FOLDER
from worker.store.connection import connect
from worker.store.scripts import LineScripts, Scripts

STATUS, CAR = "stellantis.b2b.get_vehicle_status", "stellantis:fleet-1"
WHERE = {"fid": "FLEET-1", "vid": "VEHICLE-1"}
DONE = Fate("finish", answered(0), {}, '{"event":"tried"}', "{}")
SUBSCRIPTION = (
    '[{"name": "fleet-1", "kind": "b2b", "client_id": "c", "username": "u", "password": "p", "limit_per_second": 1000}]'
)


def settings_for(url: str, **changes: str) -> Settings:
    return load(
        {
            "PACELINE_ENVIRONMENT": "test",
            "PACELINE_ON_EMPTY_STORE": "fresh",
            "PACELINE_REDIS_URL": url,
            "PACELINE_STELLANTIS__B2B_BASE_URL": "http://127.0.0.1:9/connectedcar/v3",
            "PACELINE_STELLANTIS__SUBSCRIPTIONS": SUBSCRIPTION,
            **{f"PACELINE_{name}": value for name, value in changes.items()},
        }
    )


class Hands:
    """A process's clocks, moved by hand."""

    def __init__(self) -> None:
        self.s = 1000.0
        self.clock = Clock(monotonic=lambda: self.s, boottime=lambda: self.s, sleep=self.sleep)

    def sleep(self, seconds: float) -> None:
        self.s += seconds


class Floor:
    """A broker of `threads` threads that do nothing."""

    def __init__(
        self,
        url: str,
        threads: int = 4,
        clock: Clock = SYSTEM,
        clock_us: Callable[[], int] | None = None,
        folder: Path = FOLDER,
        **changes: str,
    ) -> None:
        self.client: redis.Redis = connect(url)
        settings = settings_for(url, **changes)
        self.broker = PacelineBroker(
            settings, self.client, middleware=[], deliver=_nothing, clock=clock, clock_us=clock_us
        )
        for scripts in (self.broker.scripts, self.broker.turn._scripts):
            scripts._folder = folder
        self.keys = self.broker.keys
        self.broker.threads.total = threads
        before, dramatiq.broker.global_broker = global_broker, self.broker
        try:
            tasks.bind_actors()
        finally:
            dramatiq.broker.global_broker = before
        self.broker.hello()

    def put(self, n: int = 1, operation: str = STATUS, **changes: Any) -> list[str]:
        wanted = [Wanted(operation, CAR, WHERE, **changes) for _ in range(n)]
        return [accepted.job_id for accepted in self.broker.accept.enqueue_many(wanted)]

    def next(self) -> JobMessage:
        self.broker.threads.wake()
        message = self.broker.next_job(5)
        assert message is not None, "expected a job, got none"
        return message

    def nothing(self) -> bool:
        """Whether there is nothing to do now."""
        self.broker.threads.wake()
        return self.broker.next_job(0) is None

    def end(self, message: MessageProxy, fate: Fate = DONE) -> None:
        message.fate = fate
        self.consumer().ack(message)

    def consumer(self) -> JobConsumer:
        return self.broker.consume("paceline", timeout=10)

    def read(self, job_id: str) -> dict[str, str]:
        return {k.decode(): v.decode() for k, v in self.client.hgetall(self.keys("job", job_id)).items()}

    def refuse(self, monkeypatch: Any, decision: str, error: Exception, times: int = 1, *, ran: bool = False) -> None:
        """The next `times` calls of a decision raise, without having run or (`ran`) after they have."""
        left = {"times": times}

        def is_refused(name: str) -> bool:
            left["times"] -= name == decision
            return name == decision and left["times"] >= 0

        def call(self_: Scripts, name: str, facts: Any, *blobs: Any) -> Any:
            refused = is_refused(name)
            answer = asked(self_, name, facts, *blobs) if ran or not refused else None
            if refused:
                raise error
            return answer

        def put(self_: LineScripts, name: str, facts: Any, *blobs: Any) -> Callable[[], Any]:
            if not is_refused(name):
                return asked_first(self_, name, facts, *blobs)
            if ran:
                asked_first(self_, name, facts, *blobs)()
            raise error

        asked, asked_first = Scripts.__call__, LineScripts.put
        monkeypatch.setattr(Scripts, "__call__", call)
        monkeypatch.setattr(LineScripts, "put", put)

    def assert_whole(self) -> None:
        __tracebackhide__ = True
        assert_conserved(self.client, self.keys)

    def close(self) -> None:
        self.broker.turn.close()
        self.client.close()


def _nothing(*_: Any) -> None:
    raise AssertionError("nothing is sent from here")
