"""Unit: a dead letter is explained by the row that decided, and advised about its own operation."""

import pytest

import tasks  # noqa: F401
from worker.commands.bulk_words import plan_lines
from worker.fail.bulk_plan import Plan, PlannedProblem
from worker.fail.explaining import advice_for, cause_of, row_of
from worker.fail.policy import ROWS
from worker.fail.problem import problem_of
from worker.observe import wording

START, REMOTE, STATUS = "hub.start_session", "stellantis.b2b.send_remote", "stellantis.b2b.get_vehicle_status"


@pytest.mark.parametrize(
    ("api", "code", "cause"),
    [
        ("hub", "command_timeout", "command_timeout"),
        ("hub", "TIMEOUT", "command_timeout"),
        ("hub", "SOMETHING_NEW", "undocumented"),
        ("hub", "4002", "remote_trouble"),
        ("hub", "3001", "remote_trouble"),
        ("hub", "http_502", "remote_trouble"),
        ("hub", "2000", "generic_error"),
        ("hub", "1999", "undocumented"),
        ("hub", "worker_crashed", "crashed"),
        ("hub", "read_timeout", "outcome_unknown"),
        ("hub", "", "outcome_unknown"),
        ("stellantis", "http_503", "server_trouble"),
        ("stellantis", "50400", "server_trouble"),
        ("stellantis", "http_200", "undocumented"),
        ("stellantis", "wrong_type", "outcome_unknown"),
    ],
)
def test_an_unknown_outcome_is_explained_by_what_happened_to_it(api: str, code: str, cause: str) -> None:
    assert cause_of(api, "outcome_unknown", code) == cause
    row = row_of(api, "outcome_unknown", code)
    assert row is not None
    assert row.error_class == cause
    assert row.unrepeatable.kind == "unknown"


def test_any_other_class_is_explained_by_itself() -> None:
    assert cause_of("hub", "not_found", "2003") == "not_found"
    assert cause_of("hub", "undocumented", "4002") == "undocumented"


def facts(operation: str, code: str) -> dict[str, str]:
    return {
        "kind": "problem", "api": operation.partition(".")[0], "operation": operation, "class": "outcome_unknown",
        "code": code,
    }  # fmt: skip


def test_a_command_without_a_result_is_explained_alike_by_its_problem_and_its_alert() -> None:
    told = facts(START, "command_timeout")
    problem = problem_of("f" * 16, told | {"op": START}, 1, 0)
    assert "its result never came" in problem.explanation
    assert problem.explanation == wording.explanation_of(told)
    assert problem.advice == wording.advice_of(told)
    assert problem.advice is not None
    assert "the address for results is reachable" in problem.advice


@pytest.mark.parametrize(
    ("operation", "advised"),
    [
        (REMOTE, "The read stellantis.b2b.list_remotes tells what became of the call."),
        (START, "No read tells what became of the call: ask the other side or its support."),
        ("gone.with_a_deploy", "If it must not be repeated, find out first what became of the call."),
    ],
)
def test_advice_about_an_unknown_outcome_names_the_read_that_the_operation_has(operation: str, advised: str) -> None:
    said = wording.advice_of(facts(operation, "read_timeout"))
    assert advised in said
    assert said.endswith("Send it again only if it was not carried out, else set it aside.")


def test_a_read_is_not_told_how_to_find_out_what_became_of_it() -> None:
    for code in ("wrong_type", "http_503"):
        said = wording.advice_of(facts(STATUS, code))
        assert "became of" not in said
        assert "carried out" not in said
    trouble = row_of("stellantis", "server_trouble")
    assert trouble is not None
    assert advice_for(trouble, STATUS, unsure=True) == trouble.alert
    assert "remote actions" not in str(trouble.alert)


def test_no_row_advises_by_words_that_are_no_button_and_no_command() -> None:
    assert not [row.sign for row in ROWS if row.alert and ("settle" in row.alert or "reconcile" in row.alert)]


@pytest.mark.parametrize(
    ("operation", "error_class", "code", "futile"),
    [
        ("stellantis.b2b.get_vehicle_status", "consent_needed", "50000", True),
        ("hub.get_location", "malformed", "2001", True),
        ("hub.get_location", "not_found", "2003", False),
        ("", "expired", "", False),
    ],
)
def test_a_plan_warns_of_what_would_die_again(operation: str, error_class: str, code: str, futile: bool) -> None:
    cause = PlannedProblem("f" * 16, operation, error_class, code, 6)
    plan = Plan(6, True, 1.0, 6.0, (cause,))
    for sends in (True, False):
        assert ("6 of them would die again: " in "\n".join(plan_lines(plan, sends=sends))) == (futile and sends)
