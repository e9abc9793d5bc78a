"""The table of fault cases names tests that exist, and a test meets each fault of stock dramatiq."""

import re

import pytest

from tests.faults.cases import CASES, STOCK, SUSPECT
from tests.house.source import ROOT, functions

TESTS = ROOT / "tests"
NAMED = sorted({test for _, tests in CASES.values() for test in tests} | set(SUSPECT.values()))


def test_every_case_has_a_test() -> None:
    assert list(CASES) == list(range(1, 21))
    assert [number for number, (said, tests) in CASES.items() if not said or not tests] == []


@pytest.mark.parametrize("named", NAMED)
def test_the_named_test_exists(named: str) -> None:
    path, _, name = named.partition("::")
    assert name in {one.name for one in functions(TESTS / path)}, f"{path} has no {name}"


@pytest.mark.parametrize("fault", STOCK)
def test_each_fault_of_stock_dramatiq_is_met_by_a_test(fault: str) -> None:
    texts = [path.read_text(encoding="utf-8") for path in sorted((TESTS / "faults").glob("test_*.py"))]
    assert any(re.search(rf"\({fault}\b", text) for text in texts)


JUDGED_OTHERWISE = {
    "test_a_store_that_was_a_replica_is_never_believed_to_have_forgotten_nothing",  # nothing is sent
    "test_50000_jobs_that_wait_for_a_used_up_quota_cost_nothing_and_the_urgent_go_first_when_it_opens",  # it counts
}


def test_every_case_ends_in_a_look_at_the_remote_sides_log_and_at_the_store() -> None:
    """Real processes against a real store are judged by what arrived, and by what is left."""
    table = {test.partition("::")[2] for number, (_, tests) in CASES.items() for test in tests if "faults/" in test}
    unjudged = []
    for path in sorted((TESTS / "faults").glob("test_*.py")):
        source = path.read_text(encoding="utf-8")
        for test in functions(path):
            body = "\n".join(source.splitlines()[test.lineno - 1 : test.end_lineno])
            judged = "assert_within_limits" in body or "run_through(" in body
            whole = "assert_conserved" in body or "run_through(" in body
            if test.name in table - JUDGED_OTHERWISE and not (judged and whole):
                unjudged.append(test.name)
    assert unjudged == []
