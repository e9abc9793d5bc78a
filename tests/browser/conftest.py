"""What the browser's tests share: one Chromium, and one console with something to see on every page."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.browser.chromium import Chromium, Missing
from tests.integration.console_seat import Seat
from worker.console import live
from worker.store.embedded import EmbeddedServer


@dataclass(frozen=True)
class Scene:
    """A console and some of what is in it."""

    seat: Seat
    letter: str
    careful: str
    waits: str

    @property
    def problem(self) -> str:
        return self.seat.parts.jobs.read(self.letter).problem

    @property
    def alert(self) -> str:
        """The key of an alert, as it stands in an address."""
        return f"problem%3A{self.seat.parts.jobs.read(self.careful).problem}"

    @property
    def pages(self) -> dict[str, str]:
        """Every kind of page, by a name for its picture."""
        return {
            "overview": "/", "alerts": "/alerts", "alert": f"/alerts/one?key={self.alert}", "problems": "/problems",
            "problem": f"/problems/{self.problem}",
            "letters": "/dead-letters", "letter": f"/dead-letters/{self.letter}",
            "careful": f"/dead-letters/{self.careful}", "plan": "/dead-letters/plan?verb=redrive",
            "jobs": "/jobs", "job": f"/jobs/{self.waits}", "lanes": "/lanes", "workers": "/workers", "audit": "/audit",
            "policy": "/policy", "history": "/alerts?pile=history", "ignored": "/problems?state=ignored",
            "empty": "/dead-letters?class=wrong_path", "mistake": "/dead-letters?since=x", "missing": "/jobs/0-none",
        }  # fmt: skip


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    """Skips in one line where no browser can be had, unless BROWSER_TESTS=required says that there must be one."""
    try:
        browser = Chromium()
    except Missing as missing:
        if os.environ.get("BROWSER_TESTS") == "required":
            pytest.fail(f"no browser: {missing}")
        pytest.skip(f"no browser: {missing}")
    with browser:
        yield browser


@pytest.fixture(scope="module")
def scene(store_server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with pytest.MonkeyPatch.context() as patched, Seat(store_server.url, tmp_path_factory.mktemp("console")) as seat:
        patched.setattr(live, "EVERY_S", 0.25)
        patched.setattr(live, "BEAT_S", 1.0)
        yield Scene(seat, seat.not_found(), seat.unknown(), seat.waiting())
