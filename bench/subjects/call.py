"""Bench, subjects: the one HTTP call that every job of a Python subject makes, and what to do when it is refused."""

import os
from uuid import uuid4

import httpx

_client = httpx.Client(timeout=25.0, trust_env=False, limits=httpx.Limits(max_connections=None))
_url = os.environ.get("BENCH_API", "")
_headers = {"Authorization": os.environ.get("BENCH_AUTHORIZATION", "")}


def get_status(number: int) -> float | None:
    """One call for one car. None when it was let in, else the seconds that the refusal asks to wait."""
    ids = {"X-Request-ID": str(uuid4()), "X-Correlation-ID": f"job-{number}"}
    answer = _client.get(_url.format(vid=f"VEH-{number % 130 + 1:05d}"), headers={**_headers, **ids})
    if answer.status_code == 429:
        return float(answer.headers.get("Retry-After", "1"))
    answer.raise_for_status()
    return None
