"""What the overview says first: what asks for somebody, and whether anybody takes jobs."""

import re
import time

import pytest

from tests.integration.alerting import ask_for, bury, dies, system_of
from tests.integration.console_seat import WebSeat, seat_of
from worker.accept.intake.callers import KeyRing
from worker.console import overview
from worker.console.visitor import COOKIE, cookie_for
from worker.console.wording import clock

pytestmark = pytest.mark.usefixtures("store")


def notices(seat: WebSeat) -> list[tuple[str, str]]:
    """Level and words, in the order of the page."""
    found = re.findall(r'<li class="(\w+)">.*?<a href="[^"]*">(.*?)</a>', seat.get("/").text)
    return [(level, words) for level, words in found if "worker" not in words]


def causes(seat: WebSeat) -> list[str]:
    """Of the problems that are named."""
    return [words.partition(": ")[2].partition(". ")[0] for _, words in notices(seat) if ": " in words]


def test_what_somebody_was_told_of_is_named_before_what_is_newer_and_what_somebody_knows_of_last(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with system_of(redis_url, None) as system, seat_of(system) as seat:
        bury(system, 1, dies("undocumented", "1"))
        bury(system, 1, dies("undocumented", "2"))
        for code in ("3", "4"):
            bury(system, 1, dies("not_found", code, alert=False))
        assert causes(seat) == ["undocumented (2)", "undocumented (1)", "not found (4)"]
        (first, *_) = [one for one in seat.console.alerts.find() if one.facts["code"] == "2"]
        seat.console.alerts.acknowledge(first.key, "ann", "asked their support")
        assert causes(seat) == ["undocumented (1)", "not found (4)", "not found (3)"]
        seat.console.alerts.acknowledge(f"problem:{problem_of(seat, '1')}", "ann", "the same")
        assert causes(seat)[-1] == "undocumented (2)", "what somebody knows of comes last"
        bury(system, 1, dies("undocumented", "5"))
        monkeypatch.setattr(overview, "COUNTED", 1)
        bury(system, 1, dies("not_found", "3", alert=False))
        assert causes(seat) == ["undocumented (5)", "not found (3)"], "it is found among however many newer ones"


def problem_of(seat: WebSeat, code: str) -> str:
    return next(one.fingerprint for one in seat.console.problems.find() if one.code == code)


def test_jobs_that_nobody_takes_are_said_to_be_so(redis_url: str) -> None:
    with system_of(redis_url, None) as system, seat_of(system) as seat:
        assert "No worker is running. Nobody takes jobs." in seat.get("/").text
        ask_for(system)
        page = seat.get("/").text
        assert "No worker is running. 1 job waits, and nobody takes jobs." in page
        assert "A person is needed" in page
        assert '<span class="state warn">nobody takes it</span>' in page and "in line" not in page
        workers = system.broker.keys("workers")
        system.client.zadd(workers, {"w1": (time.time() - 3600) * 1e6})
        page = seat.get("/").text
        assert "1 worker of 1 silent for longer than a lease: w1. 1 job waits, and nobody takes jobs." in page
        assert '<dd>0</dd><dd class="note">1 silent</dd>' in page
        system.client.zadd(workers, {"w2": (time.time() + 3600) * 1e6})
        page = seat.get("/").text
        assert "nobody takes" not in page.lower() and "in line" in page


def test_the_page_of_lanes_shows_every_window_of_a_budget(redis_url: str) -> None:
    with system_of(redis_url, None) as system, seat_of(system) as seat:
        bury(system)
        windows = re.findall(r"<b>\d</b> of ([^<]*?)\s*</span>", seat.get("/lanes").text)
        assert windows == ["100\u202f000 in 24 h", "100 in 1 s"]


def test_times_of_another_day_name_it() -> None:
    noon, hour = 1_800_014_400_000_000, 3_600_000_000
    assert (clock(noon, noon), clock(noon - 13 * hour, noon)) == ("12:00", "Jan 14, 23:00")


def test_who_may_only_look_is_offered_nothing_to_change(redis_url: str) -> None:
    with system_of(redis_url, None) as system, seat_of(system) as seat:
        ask_for(system)
        assert "hold or release" in seat.get("/").text
        _, viewer = KeyRing(seat.partition).create("looks", ("view",), None, "test")
        seat.parts.callers.refresh()
        page = seat.get("/", cookie=f"{COOKIE}={cookie_for(viewer)}")
        assert page.status == 200 and "looks · sign out" in page.text
        assert "hold or release" not in page.text
