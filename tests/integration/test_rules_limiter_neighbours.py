"""With somebody else on the same account: how many of our calls are refused, and how much we use of what is left.

The other side's own log judges, in a simulation of it on the desk's clock; `python -m bench foreign` measures the same
with processes and sockets.
"""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.integration.desk import BULK, CAR, URGENT, Desk
from tests.integration.neighbours import Neighbours

SECOND, MINUTE = {"w": (100, 1.0)}, {"w": (500, 60.0)}
PATTERNS = pytest.mark.parametrize("evenly", [True, False], ids=["steady", "random"])


def shared(
    desk: Desk, windows: Mapping[str, tuple[int, float]], turns: int, seed: int, *, evenly: bool, share: float = 0.5
) -> tuple[float, float, float]:
    """Somebody else uses that share of the window, then stops: our calls that were refused, what we used of what they
    left, and of the whole limit from one window after they stopped.
    """
    life = Neighbours(desk, windows, seed)
    limit, window_s = windows["w"]
    window_us = round(window_s * 1e6)
    life.others(limit / window_s * share, evenly=evenly)
    began = desk.now_us
    life.run((turns + 1) * window_s, backlog=limit)
    stopped = desk.now_us
    life.others(0)
    life.run(3 * window_s, backlog=limit)
    desk.assert_whole()
    again = life.used("w", stopped + window_us, stopped + 3 * window_us)
    return life.refused(), life.used("w", began + window_us, stopped), again


def meet(desk: Desk, seeds: range, **more: Any) -> tuple[float, float, float]:
    """The most that were refused on average of these runs, and the least that was used."""
    found = []
    for seed in seeds:
        desk.client.flushall()
        desk.hire()
        found.append(shared(desk, seed=seed, **more))
    refused, used, again = zip(*found, strict=True)
    return sum(refused) / len(found), min(used), min(again)


@PATTERNS
def test_a_second_shared_with_others_is_used_and_hardly_refused(desk: Desk, evenly: bool) -> None:
    refused, used, again = meet(desk, range(2), windows=SECOND, turns=10, evenly=evenly)
    assert refused <= (0.01 if evenly else 0.03)
    assert used >= 0.8
    assert again >= 0.9


@pytest.mark.slow
@PATTERNS
def test_a_second_shared_with_others_whatever_chance_brings(desk: Desk, evenly: bool) -> None:
    refused, used, again = meet(desk, range(100, 105), windows=SECOND, turns=20, evenly=evenly)
    assert refused <= (0.005 if evenly else 0.015)
    assert used >= 0.85
    assert again >= 0.9


@pytest.mark.slow
@PATTERNS
def test_a_minute_shared_with_others_is_used_and_hardly_refused(desk: Desk, evenly: bool) -> None:
    refused, used, again = meet(desk, range(2), windows=MINUTE, turns=3, evenly=evenly)
    assert refused <= 0.005
    assert used >= 0.9
    assert again >= 0.97


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.05, 0.2, 0.8])
def test_others_who_use_little_or_much_are_noticed_too(desk: Desk, share: float) -> None:
    refused, used, again = meet(desk, range(2), windows=SECOND, turns=10, evenly=False, share=share)
    assert refused <= 0.02
    assert used >= 0.8
    assert again >= 0.9


LAGS = pytest.mark.parametrize("lag_s", [0.01, 0.6], ids=["quick", "slow"])


@LAGS
def test_nobody_is_made_up_by_jitter_in_a_stampede(desk: Desk, lag_s: float) -> None:
    """Many calls at once into an empty window: each is counted early or late, and told of early or late."""
    life = Neighbours(desk, SECOND, 7, threads=200, there_s=(0, lag_s), back_s=(0, lag_s))
    for _ in range(20):
        life.put(60)
        life.run(3)
    assert len(life.ours()) == 1200
    assert life.refused() == 0
    assert desk.window("w").get("sign", 0) == 0
    desk.assert_whole()


@LAGS
def test_alone_as_much_is_used_as_where_nothing_is_told(desk: Desk, lag_s: float) -> None:
    runs = []
    for headers in (True, False):
        desk.client.flushall()
        desk.now_us += 10**9
        began = desk.now_us
        life = Neighbours(desk, SECOND, 7, headers=headers, threads=200, there_s=(0, lag_s), back_s=(0, lag_s))
        life.run(6, backlog=100)
        runs.append([one.at - began for one in life.arrived])
        assert life.refused() == 0
    assert len(runs[0]) == pytest.approx(len(runs[1]), rel=0.01)
    assert len(runs[0]) >= 0.97 * 6 * 100 / (1 + lag_s)


@pytest.mark.slow
def test_a_full_window_opens_again_without_loss_when_nobody_else_is_there(desk: Desk) -> None:
    """A lull comes before each turn; the call that asks then costs one journey of a minute."""
    life = Neighbours(desk, MINUTE, 3)
    life.run(185, backlog=500)
    assert life.refused() == 0
    assert len(life.ours()) == 4 * 500
    assert max(later.at - first.at for first, later in zip(life.ours(), life.ours()[500:], strict=False)) < 60.2e6
    desk.assert_whole()


def test_when_others_eat_half_of_the_day_bulk_slows_before_a_refusal_and_urgent_work_is_served(desk: Desk) -> None:
    life = Neighbours(desk, {"day": (400, 86_400.0), "second": (100, 1.0)}, 5, reserve=(200, 50))
    life.others(200 / 86_400)
    life.run(86_400)
    began = desk.now_us
    for hour in range(48):
        life.put(1, URGENT)
        asked = desk.now_us
        life.run(3600, backlog=100)
        served = [one for one in life.ours() if one.priority == URGENT]
        assert len(served) == hour + 1, "an urgent call waits although a fifth of the day is kept for it"
        assert served[-1].at - asked <= 1_000_000
    assert life.refused() == 0
    bulk = [one for one in life.ours() if one.priority == BULK and one.at < began + 86_400_000_000]
    assert len(bulk) == pytest.approx(400 - 200 - 80, rel=0.25), "bulk has what others and the reserve leave"
    assert desk.window("day", of=CAR)["shut"] == 0
    desk.assert_whole()
