"""Bench, subject: Celery with `rate_limit`, which is counted in each worker: every process has its share."""

import os

from celery import Celery

from bench.subjects.call import get_status

app = Celery("bench", broker=os.environ["BENCH_STORE"])
app.conf.update(task_ignore_result=True, broker_connection_retry_on_startup=True)


@app.task(bind=True, rate_limit=os.environ.get("BENCH_SHARE", "25/s"), max_retries=None)
def status(self, number: int) -> None:  # type: ignore[no-untyped-def]
    wait_s = get_status(number)
    if wait_s is not None:
        raise self.retry(countdown=wait_s)


def enqueue(count: int) -> None:
    for number in range(count):
        status.delay(number)
