"""Accounts by the thousands: what concerns all of them is done in calls that each keep the store for a moment only.

Work is counted in commands, which are the same on any machine.
"""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.integration.desk import Desk, account, micros
from tests.integration.shelf import account_name, work_of
from tests.integration.test_rules_advice import SHARES, told
from worker.broker.registration import SLICE, Registration
from worker.limiter.quota import quotas
from worker.store.partition import Partition

MANY = 5_000
SHORT = 3_000  # commands of any one call; a millisecond has some hundreds of them
DAY_S = 86_400


def settings(digest: str, count: int, limit: int = 100, odd: Mapping[str, int] | None = None) -> Registration:
    """Of so many accounts with a day's limit; some of them have another one."""
    accounts = {}
    for number in range(count):
        name = account_name(number)
        allowed = (odd or {}).get(name, limit)
        one = account("calls=day", windows={"day": (allowed, DAY_S)}, reserve=(0, 0))
        accounts[name] = one | {"digest": f"{allowed}"}
    facts = {"accounts": accounts, "numbers": {"brake_count": 10**6}, "caps": {}, "digest": digest, "version": "0"}
    return Registration(digest, facts)


def process(worker: str = "w1") -> dict[str, Any]:
    return {
        "worker": worker, "threads": 8, "host": "here", "pid": 1, "started": "0", "silent_us": micros(10**9),
        "machine": "",
    }  # fmt: skip


def counted(desk: Desk, ask: Callable[..., Any], costs: list[int]) -> Callable[..., Any]:
    """Asks the same; adds to `costs` how many commands each call has cost."""

    def ask_and_count(*given: Any) -> Any:
        with work_of(desk.client) as work:
            answer = ask(*given)
        costs.append(work.commands)
        return answer

    return ask_and_count


def bring(
    desk: Desk,
    registration: Registration,
    worker: str = "w1",
    stop_after: int = 10**6,
    ask: Callable[..., Any] | None = None,
) -> list[str]:
    """What each call was answered; the process dies before the call after `stop_after`."""
    said: list[str] = []

    def decide(name: str, facts: Mapping[str, Any]) -> Any:
        if len(said) == stop_after:
            raise ConnectionError("the process is gone")
        reply = (ask or desk.scripts)(name, facts)
        said.append(reply[1].decode())
        return reply

    try:
        registration.bring(decide, process(worker))
    except ConnectionError:
        assert len(said) == stop_after
    return said


def limit_of(desk: Desk, number: int) -> int:
    return desk.window("day", account_name(number))["lim"]


def known(desk: Desk) -> int:
    return int(desk.client.zcard(desk.keys("accounts")))


def test_accounts_by_the_thousands_come_and_go_in_calls_that_are_short(desk: Desk) -> None:
    for registration in (settings("d2", MANY), settings("d3", 3)):
        costs: list[int] = []
        said = bring(desk, registration, ask=counted(desk, desk.scripts, costs))
        assert set(said[:-1]) <= {"more", "again"}
        assert said[-1] == "applied"
        assert max(costs) < SHORT
        assert known(desk) == len(registration.facts["accounts"])
    fields = [name.decode() for name in desk.client.hkeys(desk.keys("conf"))]
    assert len([name for name in fields if name[:2] in ("a:", "b:", "g:")]) == 9
    assert desk.take().verdict == "ok"
    desk.assert_whole()


def test_an_account_that_is_as_it_was_costs_a_look(desk: Desk) -> None:
    count = 3 * SLICE
    bring(desk, settings("d2", count))
    with work_of(desk.client) as work:
        assert bring(desk, settings("d3", count, odd={account_name(7): 5}))[-1] == "applied"
    assert work.commands < 4 * count
    assert (limit_of(desk, 7), limit_of(desk, 8)) == (5, 100)


def test_settings_that_hold_are_brought_by_the_first_process_alone(desk: Desk) -> None:
    registration = settings("d2", 3 * SLICE)
    assert bring(desk, registration, "w1") == ["more", "more", "applied"]
    assert bring(desk, registration, "w2") == ["kept"]


def test_settings_that_were_not_brought_to_their_end_are_brought_again(desk: Desk) -> None:
    registration = settings("d2", 3 * SLICE)
    assert bring(desk, registration, "w2", stop_after=1) == ["more"]
    assert known(desk) == SLICE
    assert bring(desk, registration, "w3") == ["more", "more", "applied"]
    assert known(desk) == 3 * SLICE
    assert limit_of(desk, 3 * SLICE - 1) == 100


def test_the_older_settings_hold_again_when_nobody_is_left_to_bring_the_newer_to_their_end(desk: Desk) -> None:
    older = settings("d2", 2 * SLICE, limit=100)
    bring(desk, older)
    desk.wait(10)
    desk.renew(digest="d2")
    assert bring(desk, settings("d3", 2 * SLICE, limit=200), "w2", stop_after=1) == ["more"]
    assert (limit_of(desk, 0), limit_of(desk, 2 * SLICE - 1)) == (200, 100)
    for _ in range(13):
        assert desk.take().verdict == "ok"
        desk.wait(4.5)
        desk.renew(digest="d2")
    desk.wait(4.5)
    assert desk.take().verdict == "configure"
    assert bring(desk, older)[-1] == "applied"
    assert (limit_of(desk, 0), limit_of(desk, 2 * SLICE - 1)) == (100, 100)


def test_whoever_brings_newer_settings_meanwhile_goes_first(desk: Desk) -> None:
    """Between two slices of the older version a whole newer one is brought."""
    count, said = 3 * SLICE, []

    def decide(name: str, facts: Mapping[str, Any]) -> Any:
        if len(said) == 1:
            assert bring(desk, settings("d3", count, limit=300), "w3")[-1] == "applied"
        reply = desk.scripts(name, facts)
        said.append(reply[1].decode())
        return reply

    settings("d2", count, limit=200).bring(decide, process("w2"))
    assert said == ["more", "kept"]
    assert {limit_of(desk, number) for number in (0, SLICE + 1, count - 1)} == {300}
    assert desk.hash("conf")["digest"] == "d3"


def look(desk: Desk) -> list[int]:
    quota = {"share": 0.9, "ages": [-1, -1, -1]}
    return list(desk.scripts("judge", {"every": micros(60), "quota": quota, "shares": SHARES}))


def use_up(desk: Desk, number: int) -> None:
    desk.put(acct=account_name(number))
    desk.finish(desk.take().one)


def whole_look(desk: Desk, ask: Callable[[], list[int]]) -> list[list[int]]:
    looks = [ask()]
    while looks[-1][0] == 0:
        looks.append(ask())
        assert len(looks) < 1000
    return looks


def test_a_look_at_thousands_of_accounts_is_many_short_calls(desk: Desk) -> None:
    bring(desk, settings("d2", MANY, odd={account_name(MANY - 1): 1}))
    use_up(desk, MANY - 1)
    costs: list[int] = []
    looks = whole_look(desk, counted(desk, lambda: look(desk), costs))
    assert max(costs) < SHORT
    assert len(looks) >= MANY / SLICE
    assert sum(news for _, news in looks) == 1
    assert look(desk)[0] > 0, "it is over, for a minute"
    (facts,) = told(desk)
    assert facts["account"] == account_name(MANY - 1)


def test_two_processes_share_one_look(desk: Desk) -> None:
    full = (0, SLICE + 5, 3 * SLICE - 1)
    bring(desk, settings("d2", 3 * SLICE, odd={account_name(number): 1 for number in full}))
    for number in full:
        use_up(desk, number)
    told_by_turns = [look(desk) for _ in range(4)]
    assert [again for again, _ in told_by_turns[:3]] == [0, 0, 0]
    assert {facts["account"] for facts in told(desk)} == {account_name(number) for number in full}


def test_a_look_that_was_broken_off_is_gone_on_with(desk: Desk) -> None:
    bring(desk, settings("d2", 2 * SLICE, odd={account_name(99): 1}))  # the last by name
    use_up(desk, 99)
    assert look(desk) == [0, 0]
    desk.wait(3600)
    assert whole_look(desk, lambda: look(desk))
    assert len(told(desk)) == 1


def test_accounts_that_are_gone_by_the_thousands_are_forgotten_by_and_by(desk: Desk) -> None:
    bring(desk, settings("d2", 10 * SLICE))
    whole_look(desk, lambda: look(desk))
    assert desk.client.hlen(desk.keys("samples")) == 10 * SLICE
    bring(desk, settings("d3", 1))
    desk.wait(61)
    looks = whole_look(desk, lambda: look(desk))
    assert len(looks) > 5
    assert desk.client.hlen(desk.keys("samples")) == 1


@pytest.mark.parametrize("count", [0, 1, SLICE - 1, SLICE, SLICE + 1, 3 * SLICE])
def test_the_figures_of_all_accounts_are_asked_for_in_slices(desk: Desk, count: int) -> None:
    bring(desk, settings("d2", count))
    found = quotas(Partition(desk.client, desk.keys, desk.scripts))
    assert list(found) == sorted(account_name(number) for number in range(count))
    assert {quota.limit for quota in found.values()} <= {100}
