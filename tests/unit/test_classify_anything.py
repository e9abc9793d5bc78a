"""Whatever comes over the wire is exactly one outcome, and a success never by accident."""

import json
from typing import Any, get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.exchanges import Op, answer, no_answer
from worker.deliver import hub, stellantis
from worker.deliver.exchange import FailureKind
from worker.deliver.outcome import ALL
from worker.fail.policy import ROWS, decide

MEANINGS = ["plain", "authorization", "command", "page", "data"]
WORDS = st.sampled_from(
    ["ACCEPTED", "ALLOWED", "UNKNOWN", "REJECTED", "", "invalid", "Party mismatch", "40499", "2004"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | WORDS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["data", "result", "allowed", "_embedded", "_links", "next", "href", "total", "x"]), inner
        )
    ),
    max_leaves=12,
)
CODES = (
    st.sampled_from([1000, 2000, 2001, 2002, 2003, 2004, 3001, 4001, 4002, 4003, 40499, 50000]) | st.integers() | JSON
)
DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "status_code": CODES,
        "status_message": JSON,
        "timestamp": JSON,
        "data": JSON,
        "code": CODES,
        "uuid": JSON,
        "message": JSON,
        "error": JSON,
        "name": JSON,
        "debug": JSON,
        "httpCode": JSON,
        "_embedded": JSON,
        "_links": JSON,
        "total": JSON,
    },
)
BODIES = (
    st.binary(max_size=60)
    | JSON.map(lambda v: json.dumps(v).encode())
    | DOCUMENTS.map(lambda v: json.dumps(v).encode())
)
STATUSES = st.sampled_from([200, 202, 204, 301, 400, 401, 403, 404, 429, 500, 503]) | st.integers(100, 999)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(["Retry-After", "Link", "Date", "X-Total-Count", "X-RateLimit-Reset", "Location"]), st.text()
    ),
    max_size=4,
).map(tuple)
OPERATIONS = st.builds(
    Op,
    api=st.sampled_from(["hub", "stellantis"]),
    meaning=st.sampled_from(MEANINGS),
    repeatable=st.booleans(),
    budget=st.sampled_from(["locations", "other"]),
)


def classify(operation: Op, exchange: Any) -> Any:
    return (hub if operation.api == "hub" else stellantis).classify(operation, exchange)


@settings(max_examples=400, deadline=None)
@given(OPERATIONS, STATUSES, HEADERS, BODIES, st.none() | st.sampled_from(["truncated", "oversized", "read_timeout"]))
def test_any_answer_is_one_outcome_with_a_fate(
    operation: Op, status: int, headers: Any, body: bytes, failure: FailureKind | None
) -> None:
    outcome = classify(operation, answer(status, body, headers, failure=failure))
    assert type(outcome) in ALL
    json.dumps([outcome.result, dict(outcome.vendor)], allow_nan=False)
    row, action = decide(outcome, operation)
    assert row in ROWS
    assert row.error_class != "internal"
    if outcome.error_class == "success":
        assert failure is None
        assert 200 <= status < 300
        assert operation.api == "stellantis" or json.loads(body)["status_code"] == 1000
    if action.kind == "done" and outcome.error_class != "success":
        assert outcome.error_class == "no_data"
        assert status in (404, *range(200, 300))


@settings(max_examples=100)
@given(OPERATIONS, st.sampled_from(get_args(FailureKind)), st.booleans())
def test_any_failure_is_one_outcome_and_never_ends_well(operation: Op, kind: FailureKind, wrote: bool) -> None:
    outcome = classify(operation, no_answer(kind, wrote))
    row, action = decide(outcome, operation)
    assert type(outcome) in ALL
    assert row.error_class == outcome.error_class
    assert action.kind != "done"
    if not operation.repeatable and wrote and kind not in ("certificate", "refused", "dns", "private_address", "tls"):
        assert action.kind in ("unknown", "retry", "refund_park")


@settings(max_examples=100)
@given(HEADERS, BODIES)
def test_any_answer_has_a_next_page_or_none(headers: Any, body: bytes) -> None:
    for api in (hub, stellantis):
        link = api.page_link(answer(200, body, headers))
        assert link is None or isinstance(link.href, str)
