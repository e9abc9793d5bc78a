"""A worker inside the test's own process: every part of it is real, only dramatiq's processes are left out."""

from typing import Self

import dramatiq
from dramatiq import Worker
from dramatiq import broker as dramatiq_broker

import tasks
from settings import Settings
from worker.main import System


class Crew:
    """Threads that run jobs from the store at `url`."""

    def __init__(self, settings: Settings, url: str, threads: int = 4) -> None:
        self._before = dramatiq_broker.global_broker
        self.system = System(settings, url)
        dramatiq.set_broker(self.system.broker)
        tasks.bind_actors()
        self.worker = Worker(self.system.broker, worker_threads=threads, worker_timeout=100)
        self.worker.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.worker.stop(20_000)
        broker, process = self.system.broker, self.system.process
        for client in (self.system.client, broker.turn, process._bell and process._bell._client):
            if client is not None:
                client.close()
        dramatiq_broker.global_broker = self._before

    def living_threads(self) -> int:
        """Worker threads and consumers that run."""
        return sum(thread.is_alive() for thread in [*self.worker.workers, *self.worker.consumers.values()])
