"""Advice before anything goes wrong: quota that runs out, jobs that wait too long, shares of answers that rise."""

import json
from datetime import UTC, datetime
from typing import Any

from tests.integration.desk import ANSWERED, BULK, CAR, NORMAL, READ, URGENT, Desk, account, micros
from tests.integration.meter import limit, out
from worker.limiter.quota import Quota, quotas
from worker.store.partition import Partition

DAY_S = 86_400
PERIOD_S = 900
SHARES = {
    "jump": 0.2, "least": 10, "period": micros(PERIOD_S), "classes": {"stellantis": ["access_refused", "no_data"]},
}  # fmt: skip


def look(desk: Desk, **changes: Any) -> list[int]:
    """One look, as a worker's errand asks for it."""
    quota = {"share": 0.9, "ages": [micros(60), micros(3600), -1]}
    facts = {"every": micros(60), "quota": quota, "shares": SHARES, **changes}
    return list(desk.scripts("judge", facts))


def pass_time(desk: Desk, seconds: float, **changes: Any) -> None:
    """Time passes, and the fleet looks every minute."""
    while seconds > 0:
        desk.now_us += micros(min(60, seconds))
        seconds -= 60
        desk.renew()
        look(desk, **changes)


def told(desk: Desk, change: str = "opened") -> list[dict[str, Any]]:
    """The facts of what is handed over now, oldest first."""
    entries = desk.scripts("alerts", {"done": [], "limit": 100, "again_us": micros(1)})
    desk.scripts("alerts", {"done": [entry[0].decode() for entry in entries], "limit": 0, "again_us": 1})
    return [json.loads(entry[6]) for entry in entries if entry[2].decode() == change]


def standing(desk: Desk) -> dict[str, str]:
    """Every alert and its state."""
    keys = [key.decode() for key in desk.client.zrange(desk.keys("alerts"), 0, -1)]
    return {key: desk.hash("alert", key)["state"] for key in keys}


def day_of(desk: Desk) -> str:
    return datetime.fromtimestamp(desk.now_us / 1e6, UTC).date().isoformat()


def figure(desk: Desk) -> Quota:
    return quotas(Partition(desk.client, desk.keys, desk.scripts))[CAR]


def use(desk: Desk, n: int) -> None:
    """So many calls are answered now."""
    for slip in out(desk, n):
        desk.finish(slip)


def start(desk: Desk) -> None:
    """A day's limit of 100 and nothing else; a first look at eight in the morning."""
    desk.now_us += micros(DAY_S + 8 * 3600) - desk.now_us % micros(DAY_S)
    limit(desk, day=(100, DAY_S))
    look(desk)


# -- quota --------------------------------------------------------------------------------------------------------


def test_a_day_that_is_nearly_used_up_is_told_once_with_the_figures_people_see(desk: Desk) -> None:
    start(desk)
    use(desk, 89)
    pass_time(desk, 60)
    assert told(desk) == []
    use(desk, 1)
    desk.put(7)
    pass_time(desk, 3600)
    (facts,) = told(desk)
    seen = figure(desk)
    assert (facts["used"], facts["limit"], facts["waiting"]) == (seen.used, seen.limit, seen.waiting) == (90, 100, 7)
    assert (facts["kind"], facts["account"], facts["full"], facts["length_s"]) == ("quota", CAR, True, DAY_S)
    assert standing(desk) == {f"quota:{CAR}:{day_of(desk)}": "open"}


def test_what_others_use_of_the_day_counts(desk: Desk) -> None:
    start(desk)
    limit(desk, headers=True, day=(100, DAY_S))
    [slip] = out(desk, 1)
    desk.finish(slip, told={"day": {"limit": 100, "remaining": 5}})
    pass_time(desk, 60)
    (facts,) = told(desk)
    assert facts["used"] == 95


def test_advice_that_goes_on_is_told_anew_the_next_day(desk: Desk) -> None:
    start(desk)
    use(desk, 95)
    pass_time(desk, 60)
    first = day_of(desk)
    assert len(told(desk)) == 1
    pass_time(desk, 17 * 3600)
    assert len(told(desk)) == 1
    assert first != day_of(desk)
    assert standing(desk) == {f"quota:{CAR}:{first}": "resolved", f"quota:{CAR}:{day_of(desk)}": "open"}


def test_advice_that_somebody_knows_of_is_not_told_the_next_day(desk: Desk) -> None:
    start(desk)
    use(desk, 95)
    pass_time(desk, 60)
    key = f"quota:{CAR}:{day_of(desk)}"
    assert len(told(desk)) == 1
    assert desk.person("acknowledge", key=key, over=False) == "acknowledged"
    pass_time(desk, 17 * 3600)
    assert told(desk) == []
    assert standing(desk) == {key: "open"}


def test_advice_ends_when_the_day_has_room_again_and_comes_once_a_day_only(desk: Desk) -> None:
    start(desk)
    use(desk, 90)
    pass_time(desk, 60)
    assert len(told(desk)) == 1
    limit(desk, day=(1000, DAY_S))
    pass_time(desk, 60)
    key = f"quota:{CAR}:{day_of(desk)}"
    assert standing(desk) == {key: "resolved"}
    assert len(told(desk, "resolved")) == 1
    limit(desk, day=(100, DAY_S))
    pass_time(desk, 600)
    assert told(desk) == [], "it has been told today"


def test_a_use_that_swings_about_the_bar_is_one_advice(desk: Desk) -> None:
    start(desk)
    use(desk, 90)
    pass_time(desk, 60)
    limit(desk, day=(104, DAY_S))  # 86.5 percent: below the bar, and not clear of it
    pass_time(desk, 60)
    assert set(standing(desk).values()) == {"open"}


def test_a_job_that_waits_too_long_is_told_by_its_priority(desk: Desk) -> None:
    start(desk)
    desk.put(3, dl=micros(DAY_S), prio=BULK)
    desk.put(2, dl=micros(DAY_S))
    pass_time(desk, 3540)
    assert told(desk) == []
    pass_time(desk, 120)
    (facts,) = told(desk)
    assert (facts["full"], facts["priority"], facts["waiting"]) == (False, NORMAL, 5)
    assert 3600 <= facts["oldest_s"] < 3720
    assert figure(desk).ages_s.keys() == {"normal", "bulk"}


def test_an_urgent_job_waits_too_long_sooner(desk: Desk) -> None:
    start(desk)
    desk.put(1, prio=URGENT)
    pass_time(desk, 120)
    (facts,) = told(desk)
    assert facts["priority"] == URGENT


def test_jobs_behind_a_hold_and_jobs_put_off_wait_for_something_else(desk: Desk) -> None:
    start(desk)
    desk.put(1, dl=micros(DAY_S))
    [slip] = desk.take(1).slips
    desk.park(slip, wait_s=3 * 3600)
    pass_time(desk, 2 * 3600)
    desk.person("hold", scope=f"lane:{CAR}|{READ}")
    desk.put(1, dl=micros(DAY_S))
    pass_time(desk, 2 * 3600)
    assert told(desk) == []
    assert figure(desk).waiting == 2
    desk.person("release", scope=f"lane:{CAR}|{READ}")
    pass_time(desk, 60)
    assert [facts["kind"] for facts in told(desk)] == ["quota"]


def test_a_letter_that_is_sent_again_has_not_waited_since_it_was_first_wanted(desk: Desk) -> None:
    start(desk)
    [slip] = out(desk, 1, dl=micros(3600))
    desk.bury(slip)
    pass_time(desk, 5 * 3600)
    assert desk.person("redrive", id=slip.id) == "waiting"
    pass_time(desk, 60)
    assert told(desk) == []


def test_a_short_window_that_is_full_is_no_matter_for_advice(desk: Desk) -> None:
    start(desk)
    limit(desk, minute=(10, 600))
    use(desk, 10)
    pass_time(desk, 60)
    assert told(desk) == []


# -- shares -------------------------------------------------------------------------------------------------------


def answers(desk: Desk, refused: int, others: int, each_s: float = 60, **changes: Any) -> None:
    """Cars answer 403, others well, evenly over a slice of time."""
    for slip in out(desk, refused + others)[::-1]:
        if refused:
            refused -= 1
            assert desk.bury(slip, ANSWERED, "access_refused", tally="access_refused") == "own"
        else:
            desk.finish(slip)
    pass_time(desk, each_s, **changes)


def watched(desk: Desk) -> None:
    start(desk)
    limit(desk, day=(1_000_000, DAY_S))
    look(desk)


def test_a_share_that_jumps_is_told_once_and_is_over_when_it_falls_back(desk: Desk) -> None:
    watched(desk)
    for _ in range(20):
        answers(desk, 1, 19)
    assert told(desk) == []
    for _ in range(10):
        answers(desk, 10, 10)
    (facts,) = told(desk)
    assert (facts["kind"], facts["account"], facts["class"]) == ("share", CAR, "access_refused")
    assert facts["share"] - facts["before"] >= 0.2 > facts["before"]
    key = f"share:{CAR}|access_refused:{day_of(desk)}"
    assert standing(desk) == {key: "open"}
    for _ in range(20):
        answers(desk, 1, 19)
    assert standing(desk) == {key: "resolved"}
    assert told(desk) == []


def test_a_share_that_was_always_high_is_no_jump(desk: Desk) -> None:
    watched(desk)
    for _ in range(60):
        answers(desk, 3, 7, shares={**SHARES, "jump": 1})  # so much that nothing is told
    for _ in range(60):
        answers(desk, 3, 7)
    assert told(desk) == []


def test_a_share_that_stays_high_stays_one_alert_though_it_has_become_usual(desk: Desk) -> None:
    watched(desk)
    answers(desk, 0, 100, PERIOD_S)
    for _ in range(200):
        answers(desk, 3, 3)
    assert set(standing(desk).values()) == {"open"}
    assert len(told(desk)) == 1


def test_a_few_answers_say_nothing(desk: Desk) -> None:
    watched(desk)
    answers(desk, 9, 0)
    assert told(desk) == []
    answers(desk, 1, 0)
    assert len(told(desk)) == 1


def test_an_alert_about_a_share_goes_on_while_nothing_is_answered(desk: Desk) -> None:
    watched(desk)
    answers(desk, 10, 0)
    pass_time(desk, 2 * PERIOD_S)
    assert set(standing(desk).values()) == {"open"}


def test_what_is_remembered_of_answers_is_bounded(desk: Desk) -> None:
    watched(desk)
    answers(desk, 5, 5, 12 * PERIOD_S)
    size = len(desk.client.hget(desk.keys("samples"), CAR) or b"")
    for _ in range(4):
        answers(desk, 5, 5, 6 * PERIOD_S)
    assert len(desk.client.hget(desk.keys("samples"), CAR) or b"") <= size + 200
    assert desk.client.hlen(desk.keys("tally")) == 1


def test_a_store_that_has_forgotten_its_windows_starts_counting_anew(desk: Desk) -> None:
    watched(desk)
    answers(desk, 0, 50, 3 * PERIOD_S)
    desk.client.delete(desk.keys("window", f"{CAR}|day"), desk.keys("ring", f"{CAR}|day"))
    limit(desk, day=(1_000_000, DAY_S))
    pass_time(desk, 60)
    assert told(desk) == []
    answers(desk, 10, 0)
    assert [facts["share"] for facts in told(desk)] == [1]


def test_an_answer_said_twice_counts_once(desk: Desk) -> None:
    [slip] = out(desk, 1)
    for _ in range(2):
        desk.finish(slip, tally="no_data")
    assert desk.hash("tally") == {f"{CAR}|no_data": "1"}


# -- who looks ----------------------------------------------------------------------------------------------------


def test_ten_processes_look_as_often_as_one(desk: Desk) -> None:
    start(desk)
    use(desk, 95)
    desk.now_us += micros(30)
    early = [look(desk) for _ in range(10)]
    assert early[0][0] <= micros(31)
    assert {news for _, news in early} == {0}
    desk.now_us += micros(31)
    assert [news for _, news in (look(desk) for _ in range(10))] == [1, *[0] * 9]


def test_accounts_that_settings_no_longer_name_are_forgotten_and_their_advice_is_over(desk: Desk) -> None:
    start(desk)
    use(desk, 95)
    answers(desk, 1, 0)
    assert set(standing(desk).values()) == {"open"}
    limit(desk, of={"hub:IN-ABC": account("other", api="hub")})
    pass_time(desk, 60)
    assert set(standing(desk).values()) == {"resolved"}
    assert [desk.client.hlen(desk.keys(name)) for name in ("tally", "samples", "watches")] == [0, 0, 0]
