"""What advice says to a person, and which answers are counted for it."""

import pytest

from settings import SettingsError, load
from worker.limiter.quota import Quota, length_words
from worker.observe import wording
from worker.observe.advice import look_of, tally_of

CAR = "stellantis:fleet-1"
QUOTA = {
    "kind": "quota", "api": "stellantis", "account": CAR, "full": True, "used": 91_000, "limit": 100_000,
    "length_s": 86_400, "waiting": 1,
}  # fmt: skip


def test_advice_about_quota_names_used_limit_waiting_and_the_way_out() -> None:
    assert wording.title_of(f"quota:{CAR}:2027-01-15", QUOTA) == (
        f"{CAR} is near its limit: 91,000 of 100,000 calls in 24 h are used, 1 job waits"
    )
    assert "contact Stellantis to have its ratios increased" in wording.advice_of(QUOTA)
    assert wording.level_of(QUOTA) == "warning"
    assert wording.grouping_of(f"quota:{CAR}:2027-01-15", QUOTA) == f"quota:{CAR}"


def test_advice_about_waiting_names_the_priority_and_how_long() -> None:
    facts = QUOTA | {"full": False, "priority": 1, "oldest_s": 5400, "waiting": 12}
    assert wording.title_of("quota:x:2027-01-15", facts) == (
        f"{CAR} is behind: its oldest normal job has waited 90 min; 91,000 of 100,000 calls in 24 h are used, "
        "12 jobs wait"
    )
    hub = {"kind": "quota", "api": "hub", "account": "hub:IN-ABC", "full": False, "priority": 0, "oldest_s": 60}
    assert wording.title_of("quota:x:2027-01-15", hub).endswith("its oldest urgent job has waited 60 s; 0 jobs wait")
    assert "hub's operator" in wording.advice_of(hub)


def test_a_share_that_rises_says_from_where_to_where() -> None:
    facts = {"kind": "share", "account": CAR, "class": "no_data", "share": 0.62, "before": 0.1, "period_s": 900}
    assert wording.title_of(f"share:{CAR}|no_data:2027-01-15", facts) == (
        f"{CAR}: 62% of the answers of 15 min are no data, 10% before"
    )
    assert "status page" in wording.advice_of(facts)
    assert wording.grouping_of(f"share:{CAR}|no_data:2027-01-15", facts) == f"share:{CAR}|no_data"


def test_figures_and_reasons_follow_the_settings() -> None:
    limiter = load({"PACELINE_LIMITER__OLDEST_AGE_ALERTS": '{"bulk": 7200}'}).limiter
    quota = Quota(CAR, "calls.day", 90, 100, 86_400, True, 3, {"normal": 3599, "bulk": 7200})
    assert quota.reasons(limiter) == ["90% of the limit is used", "the oldest bulk job has waited 2 h"]
    never = load({"PACELINE_LIMITER__OLDEST_AGE_ALERT_S": "none"}).limiter
    assert Quota(CAR, "", 10, 10, 60, False, 1, {"urgent": 10**6}).reasons(never) == []


def test_what_the_store_is_asked_follows_the_settings() -> None:
    settings = load({"PACELINE_LIMITER__OLDEST_AGE_ALERT_S": "none", "PACELINE_OBSERVE__SHARE_PERIOD_S": "50"})
    facts = look_of(settings)
    assert (facts["every"], facts["quota"]) == (10_000_000, {"share": 0.9, "ages": [-1, -1, -1]})
    assert look_of(load({}))["every"] == 60_000_000
    assert look_of(load({}))["shares"]["classes"] == {"stellantis": ["access_refused", "no_data"]}


@pytest.mark.parametrize(
    ("api", "error_class", "counted"),
    [("stellantis", "no_data", "no_data"), ("stellantis", "success", None), ("hub", "access_refused", None)],
)
def test_only_classes_that_are_watched_are_counted(api: str, error_class: str, counted: str | None) -> None:
    assert tally_of(api, error_class) == counted


def test_lengths_are_said_in_their_fitting_unit() -> None:
    assert [length_words(seconds) for seconds in (1, 60, 900, 3600, 86_400)] == ["1 s", "60 s", "15 min", "1 h", "24 h"]


def test_a_priority_that_does_not_exist_is_a_mistake() -> None:
    with pytest.raises(SettingsError, match="did you mean bulk"):
        load({"PACELINE_LIMITER__OLDEST_AGE_ALERTS": '{"bluk": 60}'})
