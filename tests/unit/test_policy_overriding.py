"""Rows of the table with another fate: what may be changed is changed, and what must not be says why."""

import itertools
import json
from typing import Any, get_args

import pytest

from settings import Settings, SettingsError, load
from settings.fail import Fate
from tests.unit.exchanges import Op
from worker.deliver import outcome
from worker.deliver.outcome import ALL
from worker.fail.command_result import verdict
from worker.fail.overriding import FIXED, table_of
from worker.fail.policy import ROWS, TABLE

FATES = get_args(Fate)


def settings_of(policy: Any) -> Settings:
    return load({"PACELINE_ENVIRONMENT": "test", "PACELINE_FAIL__POLICY": json.dumps(policy)})


def refusal(policy: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        table_of(settings_of(policy))
    (problem,) = caught.value.problems
    assert problem.startswith("PACELINE_FAIL__POLICY") and problem.endswith((".", "?"))
    return problem


def test_without_changes_the_table_is_the_documented_one() -> None:
    assert table_of(load({"PACELINE_ENVIRONMENT": "test"})) is TABLE
    assert all(row["changed"] is None for row in TABLE.as_rows())


def test_a_changed_row_has_its_new_fate_and_shows_the_old_one() -> None:
    table = table_of(settings_of({"hub:remote_trouble": {"repeatable": "dead", "alert": True}}))
    made = outcome.RemoteTrouble(3001)
    assert table.decide(made, Op())[1].words() == "dead letter + alert"
    assert table.decide(made, Op(repeatable=False))[1] == TABLE.decide(made, Op(repeatable=False))[1]
    (changed,) = [row for row in table.as_rows() if row["changed"]]
    assert (changed["class"], changed["changed"]) == (
        "remote_trouble", {"repeatable": "retry, then dead letter + alert"},
    )  # fmt: skip
    assert TABLE.decide(made, Op())[1].words() == "retry, then dead letter + alert", "the documented table stays"


@pytest.mark.parametrize(
    ("key", "change", "made", "words"),
    [
        ("hub:not_found", {"alert": True}, outcome.NotFoundRemote(2003), "dead letter + alert"),
        ("hub:wrong_path", {"repeatable": "hold"}, outcome.WrongPath("http_404"), "hold the lane, park + alert"),
        ("hub:remote_trouble", {"alert": False}, outcome.RemoteTrouble(3001), "retry, then dead letter"),
        ("hub:remote_trouble", {"repeatable": "quick"}, outcome.RemoteTrouble(3001),
         "quick bounded retries, then dead letter + alert"),
        ("both:never_sent", {"repeatable": "dead"}, outcome.NeverSent("dns"), "dead letter + alert"),
        ("hub:generic_error:not executed", {"repeatable": "dead"}, outcome.GenericError(2000, executed=False),
         "dead letter"),
    ],
)  # fmt: skip
def test_fate_and_alert_are_changed_apart(key: str, change: Any, made: outcome.Outcome, words: str) -> None:
    assert table_of(settings_of({key: change})).decide(made, Op())[1].words() == words


def test_a_call_that_was_not_carried_out_may_be_sent_again_and_a_doubtful_one_of_its_class_may_not() -> None:
    table = table_of(settings_of({"hub:command_rejected": {"unrepeatable": "quick"}}))
    command = Op(repeatable=False, meaning="command")
    assert table.decide(outcome.CommandRejected(1000), command)[1].kind == "quick"
    assert table.decide(outcome.CommandRejected(1000, executed=None), command)[1].kind == "dead"
    assert verdict("REJECTED", "", table)["why"] == {
        "class": "command_rejected", "code": "REJECTED", "message": "result REJECTED", "alert": False,
    }, "a later result is the end"  # fmt: skip


@pytest.mark.parametrize("fate", ["retry", "quick", "hold"])
@pytest.mark.parametrize(
    "key",
    ["hub:remote_trouble", "hub:generic_error", "hub:undocumented", "stellantis:server_trouble", "both:outcome_unknown",
     "stellantis:undocumented", "both:redirected"],
)  # fmt: skip
def test_an_unknown_outcome_never_becomes_a_retry(key: str, fate: str) -> None:
    said = refusal({key: {"unrepeatable": fate}})
    assert key in said and "could be carried out twice" in said


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ({"hub:remote_trouble": {"unrepeatable": "dead"}}, "sent again by habit"),
        ({"hub:undocumented": {"alert": False}}, "has to be seen by somebody"),
        ({"both:outcome_unknown": {"alert": False}}, "looked at by somebody"),
        ({"hub:success": {"repeatable": "dead"}}, "an answer of the documented shape is done"),
        ({"hub:rate_limited": {"repeatable": "retry"}}, "closes its budget"),
        ({"stellantis:credential_refused": {"repeatable": "retry"}}, "every waiting job would be spent on it"),
        ({"stellantis:no_data": {"repeatable": "dead"}}, "PACELINE_FAIL__NO_DATA"),
        ({"both:expired": {"repeatable": "retry"}}, "by the store or when a call is enqueued"),
        ({"hub:command_timeout": {"alert": False}}, "nothing can be sent again"),
        ({"hub:never_sent": {"repeatable": "dead"}}, "both:never_sent"),
        ({"hub:remote_truble": {"repeatable": "dead"}}, "did you mean 'hub:remote_trouble'?"),
        ({"hub:not_found": {"repeatable": "done"}}, '"retry"'),
        ({"hub:not_found": {"repeatable": "park"}}, '"hold"'),
        ({"not_found": {"repeatable": "retry"}}, "rows of the error table"),
        ({"hub:not_found": {"repeat": "retry"}}, "unknown key"),
        ({"hub:not_found": {"alert": 2}}, "true or false"),
    ],
)  # fmt: skip
def test_a_change_that_cannot_be_made_says_why_in_one_sentence(policy: Any, said: str) -> None:
    assert said in refusal(policy)


def test_whatever_settings_say_no_failure_is_done_and_nothing_doubtful_is_sent_twice() -> None:
    """Every row with every fate: what is accepted keeps both promises for every outcome there is."""
    accepted = 0
    for row, fate, kind in itertools.product(ROWS, FATES, ("repeatable", "unrepeatable")):
        key = ":".join(part for part in (row.api, row.error_class, row.when) if part)
        try:
            table = table_of(settings_of({key: {kind: fate}}))
        except SettingsError:
            continue
        accepted += 1
        assert row.error_class not in FIXED
        for api, made, executed in itertools.product(("hub", "stellantis"), ALL, (True, False, None)):
            one = made("x", executed=executed)
            for repeatable in (True, False):
                now = table.decide(one, Op(api=api, repeatable=repeatable))[1]
                before = TABLE.decide(one, Op(api=api, repeatable=repeatable))[1]
                assert (now.kind == "done") == (before.kind == "done")
                if not repeatable and executed is not False and not before.sends_again:
                    assert not now.sends_again, (key, fate, one)
    assert accepted > 50


def test_several_mistakes_are_all_told() -> None:
    with pytest.raises(SettingsError) as caught:
        table_of(settings_of({"hub:success": {"alert": True}, "hub:undocumented": {"unrepeatable": "retry"}}))
    assert len(caught.value.problems) == 2
