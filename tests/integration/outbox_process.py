"""A process with an outbox and nothing else, run by test_sentry_kent.py: hands over until its standard input closes."""

import sys

from settings import load
from worker.main import System
from worker.observe import log
from worker.observe.alerts import Outbox


def main() -> None:
    settings = load()
    assert settings.redis_url is not None
    system = System(settings, settings.redis_url.get_secret_value())
    log.configure("INFO", system.redactor)
    outbox = Outbox(system.broker, system.sinks, poll_s=0.02)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    outbox.start()
    sys.stdin.read()
    outbox.stop()
    outbox.join(10)


if __name__ == "__main__":
    main()
