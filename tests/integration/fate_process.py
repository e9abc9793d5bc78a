"""A worker process to be killed: real but for dramatiq's command line. Jobs of the operations it is given as arguments
are held up for ever before their first byte. Run by `test_fates_crashes.py`.
"""

import sys
import threading

import dramatiq
from dramatiq import Broker, MessageProxy, Middleware, Worker

import tasks
from worker.main import boot


class HeldForEver(Middleware):
    """Never lets a job of these operations begin."""

    def __init__(self, operations: list[str]) -> None:
        self._operations = operations

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        if message.actor_name in self._operations:
            threading.Event().wait()


def main() -> None:
    system, _ = boot()
    system.broker.add_middleware(HeldForEver(sys.argv[1:]))
    tasks.bind_actors()
    Worker(dramatiq.get_broker(), worker_threads=8, worker_timeout=100).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
