"""Outcomes: a closed set whose members cannot be changed and survive a process boundary."""

import pickle

import pytest

from worker.deliver import outcome
from worker.deliver.outcome import ALL, BY_NAME, Outcome, RateLimited, Success


def test_every_class_of_the_module_is_in_the_set_and_has_a_name_of_its_own() -> None:
    public = [value for name, value in vars(outcome).items() if not name.startswith("_")]
    defined = {kind for kind in public if isinstance(kind, type) and issubclass(kind, Outcome)}
    assert defined - {Outcome} == set(ALL)
    assert len(BY_NAME) == len(ALL)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.error_class)
def test_an_outcome_survives_pickling(kind: type[Outcome]) -> None:
    made = kind(2004, "too many", retry_after_s=3.5, hint="ok", vendor={"uuid": "u"}, result={"a": [1]}, detail="why")
    again = pickle.loads(pickle.dumps(made))
    assert type(again) is kind
    assert again.as_dict() == made.as_dict()


def test_an_outcome_cannot_be_turned_into_another() -> None:
    made = RateLimited(2004)
    with pytest.raises(AttributeError):
        made.code = "1000"
    with pytest.raises(TypeError):
        made.vendor["uuid"] = "other"  # type: ignore[index]


def test_a_message_is_one_bounded_line() -> None:
    made = Success(1000, "first\nsecond\x1b[31m" + "x" * 2000)
    assert len(made.message) == 500
    assert made.message.isprintable()
    assert made.message.startswith("first second")


def test_whether_it_was_executed_follows_from_the_class_unless_it_is_said() -> None:
    assert RateLimited().executed is False
    assert Success().executed is True
    assert outcome.OutcomeUnknown().executed is None
    assert RateLimited(executed=None).executed is None
