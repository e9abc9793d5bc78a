"""What the store's clock should show, by the boot-time clock of this machine."""

import pytest

from worker.clock import Clock
from worker.store.server_clock import STEP_US, ServerClock

NOW_US = 1_800_000_000_000_000


class Hands:
    """A boot-time clock that is moved by hand."""

    def __init__(self) -> None:
        self.s = 5000.0
        self.server = ServerClock(Clock(boottime=lambda: self.s))


@pytest.fixture
def hands() -> Hands:
    return Hands()


def test_who_was_never_told_expects_nothing(hands: Hands) -> None:
    assert hands.server.expected_us(hands.s) is None
    assert hands.server.word is None
    assert hands.server.step_s(NOW_US) == 0


def test_both_clocks_go_on_evenly(hands: Hands) -> None:
    hands.server.saw(NOW_US, hands.s)
    assert hands.server.expected_us(hands.s + 7) == NOW_US + 7_000_000


def test_a_step_is_what_waiting_for_the_reply_does_not_explain(hands: Hands) -> None:
    hands.server.saw(NOW_US, hands.s)
    hands.s += 2
    assert hands.server.step_s(NOW_US + 2_000_000 + STEP_US) == 0
    assert hands.server.step_s(NOW_US + 12_000_000) == 10


def test_a_clock_that_stands_back_is_no_step(hands: Hands) -> None:
    hands.server.saw(NOW_US, hands.s)
    assert hands.server.step_s(NOW_US - 10_000_000) == 0


def test_word_of_another_process_allows_for_what_clocks_go_apart(hands: Hands) -> None:
    hands.server.recall(f"{NOW_US} 5000000000")
    hands.s += 86_400
    assert hands.server.step_s(NOW_US + 86_400_000_000 + 60_000_000) == 0
    assert 3000 < hands.server.step_s(NOW_US + 86_400_000_000 + 3_600_000_000) < 3600


def test_what_a_process_has_seen_itself_goes_before_word_of_another(hands: Hands) -> None:
    hands.server.saw(NOW_US, hands.s)
    hands.server.recall(f"{NOW_US - 60_000_000} 5000000000")
    assert hands.server.expected_us(hands.s) == NOW_US


def test_the_word_that_is_left_is_understood(hands: Hands) -> None:
    hands.server.saw(NOW_US, hands.s)
    word = hands.server.word
    if word is None:
        pytest.skip("this machine does not name its boot")
    other = Hands()
    other.server.recall(word["word"])
    assert other.server.expected_us(5000.0) == NOW_US
