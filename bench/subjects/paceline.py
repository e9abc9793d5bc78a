"""Bench, subject: Paceline's own worker with marks, and with a call that never leaves the process.

Everything else is as in production: the Procfile's broker and middleware, evidence, results and the line per attempt.
"""

import time
from collections.abc import Mapping
from typing import Any

from bench.subjects.marks import Marks
from worker import main
from worker.accept.operation import Operation
from worker.broker.card import Card
from worker.deliver.attempt import Attempt
from worker.deliver.exchange import Exchange, Request, Response
from worker.deliver.outcome import Success

broker = main.broker
_accounts = main.system.settings.accounts()
_REQUEST = Request("GET", "http://127.0.0.1/nothing", (), b"")
_RESPONSE = Response(200, (("Content-Type", "application/json"),), b"{}")


def nothing(
    operation: Operation, card: Card, account: str, params: Mapping[str, Any], body: Mapping[str, Any] | None
) -> Attempt:
    """An attempt that was answered at once."""
    card.began = True
    now = time.monotonic()
    exchange = Exchange(_REQUEST, _RESPONSE, None, True, "2026-01-01T00:00:00+00:00", now, now, now, now)
    success = Success("http_200", "", result={"of": list(params.values())[-1]})
    return Attempt(operation, _accounts[account], params, body, exchange, success, card.job_id)


broker.deliver = nothing
broker.add_middleware(Marks())
