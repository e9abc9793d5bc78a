"""Every row of the error table is provoked over a real socket, for calls that may be repeated and for others."""

import importlib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.fate_bench import Bench
from tests.integration.fate_count import PROVOKED
from tests.integration.fate_provocations import NEVER, PROVOCATIONS, Provocation
from tests.integration.fate_sight import Ended
from worker.accept.operation import find
from worker.fail.policy import ROWS
from worker.fail.row import Action, Row
from worker.sandbox.server import Sandbox


def row_of(given: Provocation) -> Row:
    return next(row for row in ROWS if row.sign == given.sign and row.api in (given.api, "both"))


def kind_of(given: Provocation) -> str:
    return "repeatable" if find(given.operation).repeatable else "unrepeatable"


def action_of(given: Provocation) -> Action:
    action = getattr(row_of(given), kind_of(given))
    assert isinstance(action, Action)
    return action


class Case:
    """One provocation on a running bench."""

    def __init__(self, bench: Bench, given: Provocation) -> None:
        self.bench, self.given = bench, given
        self.row, self.action = row_of(given), action_of(given)

    def strike(self, times: int | None) -> None:
        """The fault, as long as it lasts."""
        self.bench.sandbox.clear_faults()
        if self.given.fault is not None:
            self.bench.fault(self.given.operation, times=times, **self.given.fault)

    def send(self) -> str:
        given = self.given
        return self.bench.send(given.operation, None, given.params, given.body, **given.options)

    def run(self, times: int | None = None) -> Ended:
        self.strike(times)
        return self.bench.wait(self.send())

    def check_record(self, ended: Ended, error_class: str | None = None) -> None:
        """The last record names class, code and the row that decided."""
        record = ended.evidence[-1]
        assert record["why"].startswith(self.given.said or self.row.sign)
        assert record["outcome"]["class"] == (error_class or self.row.error_class)
        if self.given.code:
            assert record["outcome"]["code"] == self.given.code
        assert {"at", "worker", "method", "url", "request", "response", "latency_ms", "decision"} <= set(record)


def check_done(case: Case) -> None:
    ended = case.run()
    assert (ended.well, ended.attempts, len(ended.arrivals), ended.told) == (True, 0, 1, int(case.action.alert))
    assert ended.result["class"] == case.row.error_class
    case.check_record(ended)


def check_problem(case: Case, ended: Ended, alerts: bool) -> None:
    """One problem, with one letter, under the key that its alert has."""
    fingerprint, operation = ended.record["fp"], case.given.operation
    problem = {name: ended.problem[name] for name in ("api", "op", "class", "code", "count", "sample")}
    assert problem == {
        "api": operation.partition(".")[0], "op": operation, "class": ended.error_class, "code": ended.code,
        "count": "1", "sample": ended.job_id,
    }  # fmt: skip
    assert [alert.key for alert in ended.alerts] == [f"problem:{fingerprint}"] * alerts
    assert case.bench.store.zscore(case.bench.key("dead_by", "problem", fingerprint), ended.job_id) is not None


def check_dead(case: Case) -> None:
    ended = case.run()
    assert (ended.state, ended.error_class, ended.code) == ("dead", case.row.error_class, case.given.code)
    assert (ended.attempts, len(ended.arrivals), ended.told) == (1, 1, int(case.action.alert))
    case.check_record(ended)
    check_problem(case, ended, case.action.alert)


def check_unknown(case: Case) -> None:
    ended = case.run()
    assert (ended.state, ended.error_class, ended.code) == ("dead", "outcome_unknown", case.given.code)
    assert (ended.attempts, len(ended.arrivals), ended.told) == (1, 1, 1)
    reconcile = find(case.given.operation).reconcile
    assert reconcile is None or reconcile in ended.why
    case.check_record(ended)
    check_problem(case, ended, True)


def check_ids(ended: Ended) -> None:
    """Each attempt has an id of its own, and all of them the job's."""
    ids = [record["ids"] for record in ended.evidence]
    assert {each["correlation_id"] for each in ids} == {ended.job_id}
    assert [each["request_id"] for each in ids] == [arrival["request_id"] for arrival in ended.arrivals]
    assert len({arrival["request_id"] for arrival in ended.arrivals}) == len(ended.arrivals)


def check_retry(case: Case) -> None:
    """Persistent trouble ends as a dead letter after all attempts; trouble that passes costs one."""
    ended = case.run()
    assert (ended.state, ended.error_class, ended.code) == ("dead", case.row.error_class, case.given.code)
    assert (ended.attempts, len(ended.arrivals), ended.told) == (2, 2, int(case.action.last_alert))
    assert [record["attempt"] for record in ended.evidence] == [1, 2]
    named, waited = ended.evidence[0]["outcome"]["retry_after_s"], ended.evidence[0]["wait_s"]
    longest = 0.02 if case.action.kind == "retry" else 0.5
    assert named == waited if named else 0 < waited <= longest
    assert ended.arrivals[1]["at"] - ended.arrivals[0]["at"] >= waited
    check_ids(ended)
    case.check_record(ended)
    check_problem(case, ended, case.action.last_alert)
    if case.given.fault is not None and not case.given.settings:
        again = case.run(times=1)
        assert (again.well, again.attempts, len(again.arrivals)) == (True, 1, 2)


def check_park(case: Case) -> None:
    """Not executed: tried again at the named time, without an attempt, as often as it takes."""
    ended = case.run(times=3)
    assert (ended.well, ended.attempts, len(ended.arrivals), ended.told) == (True, 0, 4, 0)
    assert all(record["outcome"]["class"] == case.row.error_class for record in ended.evidence[:3])
    named = ended.evidence[0]["outcome"]["retry_after_s"]
    gaps = [b["at"] - a["at"] for a, b in zip(ended.arrivals, ended.arrivals[1:], strict=False)]
    assert named is None or min(gaps) >= named


def check_close(case: Case) -> None:
    ended = case.run(times=1)
    assert (ended.well, ended.attempts, len(ended.arrivals), ended.told) == (True, 0, 2, 1)
    assert ended.alerts[0].key.startswith("refusal:")
    first = ended.evidence[0]["outcome"]
    assert (first["class"], first["code"], first["executed"]) == ("rate_limited", case.given.code, False)
    gap = ended.arrivals[1]["at"] - ended.arrivals[0]["at"]
    assert gap >= (first["retry_after_s"] or 0.05)


def check_hold(case: Case) -> None:
    """The job waits without an attempt until somebody mends the cause; then the hold ends and it goes through."""
    bench = case.bench
    case.strike(None)
    held = bench.parked(case.send())
    assert (held.attempts, len(held.arrivals), held.told) == (0, 1, 1)
    account, budget = held.record["acct"], held.record["budget"]
    scope = f"account:{account}" if case.action.scope == "account" else f"budget:{account}|{budget}"
    assert set(bench.holds()) == {scope}
    assert held.alerts[0].key == f"hold:{scope}"
    case.check_record(held)
    bench.sandbox.clear_faults()
    bench.release(scope)
    ended = bench.wait(held.job_id)
    assert (ended.well, ended.attempts, len(ended.arrivals), ended.told) == (True, 0, 2, 1)
    assert (bench.holds(), ended.alerts[0].state) == ({}, "resolved")


CHECKS: dict[str, Callable[[Case], None]] = {
    "done": check_done,
    "dead": check_dead,
    "unknown": check_unknown,
    "retry": check_retry,
    "quick": check_retry,
    "park": check_park,
    "close": check_close,
    "hold": check_hold,
}


@pytest.mark.parametrize("given", PROVOCATIONS, ids=str)
def test_a_call_has_the_fate_its_row_names(
    redis_url: str, sandbox: Sandbox, tmp_path: Path, given: Provocation
) -> None:
    assert action_of(given).words() == given.fate
    with Bench(redis_url, sandbox, tmp_path, **given.settings) as bench:
        CHECKS[action_of(given).kind](Case(bench, given))


def provoked() -> dict[tuple[str, str, str], set[str]]:
    """Row and kind -> the tests that provoke it."""
    for path in Path(__file__).parent.glob("test_fates_*.py"):
        importlib.import_module(f"tests.integration.{path.stem}")
    found = {sign: set(names) for sign, names in PROVOKED.items()}
    for given in PROVOCATIONS:
        key = (row_of(given).api, given.sign, kind_of(given))
        found.setdefault(key, set()).add(f"test_a_call_has_the_fate_its_row_names[{given}]")
    return found


def test_every_row_of_the_table_is_provoked_by_a_test(
    record_property: Callable[[str, object], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """Prints how many rows there are and how many have a test."""
    wanted = {(row.api, row.sign, kind) for row in ROWS for kind in ("repeatable", "unrepeatable")}
    found, excused = provoked(), set(NEVER)
    assert set(found) - wanted == set(), "tests name rows that do not exist"
    assert excused <= wanted, "reasons name rows that do not exist"
    assert set(found) & excused == set(), "rows that are said to be out of reach are provoked"
    assert wanted - set(found) - excused == set(), "rows without a test"
    rows = {(row.api, row.sign) for row in ROWS}
    tested = {sign[:2] for sign in found}
    said = f"{len(rows)} rows that a call can show, {len(tested)} with provoking tests"
    tests = sum(map(len, found.values()))
    kinds = f"{len(wanted - excused)} rows by kind of call, {len(found)} with {tests} provoking tests"
    with capsys.disabled():
        print(f"\n  {said}; {kinds}; {len(NEVER)} kinds that no call is of")
    record_property("rows", len(rows))
    record_property("provoked", len(tested))
    assert len(rows) == len(tested)
    assert len(wanted - excused) == len(found)
