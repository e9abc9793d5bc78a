"""Operations on many letters in a real browser: from a problem to a plan, confirmed, watched, stopped, reported; on a
desk and on a phone, with scripts and without.
"""

from collections.abc import Iterator

import pytest

from tests.browser.chromium import Chromium
from tests.integration.console_seat import Seat
from worker.store.embedded import EmbeddedServer


@pytest.fixture(scope="module")
def seat(store_server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seat]:
    with Seat(store_server.url, tmp_path_factory.mktemp("operations")) as made:
        yield made


def confirm(chromium: Chromium, verb: str, pace: str, reason: str) -> str:
    """Fills in the plan that is open; the address of what it becomes."""
    chromium.run("await page.getByLabel('Letters per second').fill(given.pace)", pace=pace)
    chromium.run("await page.getByLabel('Reason').fill(given.reason)", reason=reason)
    chromium.run("await page.getByRole('button', {name: given.verb, exact: true}).click()", verb=verb)
    chromium.run("await page.waitForURL('**/operations/op-*')")
    return str(chromium.run("return new URL(page.url()).pathname"))


def readable(chromium: Chromium, name: str) -> None:
    chromium.shot(name)
    assert chromium.violations() == [], name
    beyond = chromium.run("return page.evaluate(() => document.documentElement.scrollWidth - innerWidth)")
    assert beyond <= 0, f"{name} is wider than the screen"


@pytest.mark.slow
@pytest.mark.parametrize(("size", "scheme"), [("desktop", "light"), ("phone", "dark")])
def test_a_problem_leads_to_a_plan_that_is_confirmed_watched_and_stopped(
    chromium: Chromium, seat: Seat, size: str, scheme: str
) -> None:
    letters = [seat.not_found() for _ in range(4)]
    problem = seat.parts.jobs.read(letters[0]).problem
    chromium.open(seat.base, size, scheme)
    chromium.go(f"/problems/{problem}")
    chromium.run("await page.getByRole('link', {name: /^Send all/}).click(); await page.waitForURL('**/plan?**')")
    readable(chromium, f"bulk-plan-{size}")
    confirm(chromium, "Send again", "200", "the location exists now")
    chromium.run("await page.locator('.state.done').waitFor()")
    chromium.run("await page.waitForFunction(() => document.body.innerText.includes('failed again'))")
    chromium.expect_text("done, all failed again")
    assert chromium.run("return page.locator('.state.done.bad').count()") == 1, "what failed is not shown as well done"
    readable(chromium, f"operation-done-{size}")
    chromium.go(f"/problems/{problem}")
    chromium.run("await page.getByRole('link', {name: /^Set all/}).click()")
    address = confirm(chromium, "Set aside", "0.01", "all wrong")  # so slowly that it is not over before it is stopped
    readable(chromium, f"operation-running-{size}")
    chromium.run("await page.getByLabel('Reason').fill('let us see')")
    chromium.run("await page.getByRole('button', {name: 'Stop it here'}).click()")
    chromium.run("await page.locator('.state.cancelled').waitFor()")
    chromium.expect_text("let us see", "not touched")
    chromium.go("/operations")
    readable(chromium, f"operations-{size}")
    assert chromium.run("return page.locator(`a[href='${given.address}']`).count()", address=address) == 1
    noted = chromium.noted()
    assert (noted.foreign, noted.complaints) == ([], [])
    for letter in letters:
        seat.post(f"/dead-letters/{letter}/restore", {"reason": "for the next test"})


@pytest.mark.slow
def test_an_operation_needs_no_scripts(chromium: Chromium, seat: Seat) -> None:
    letter = seat.not_found()
    chromium.open(seat.base, scripts=False)
    chromium.go(f"/dead-letters/plan?verb=discard&problem={seat.parts.jobs.read(letter).problem}")
    address = confirm(chromium, "Set aside", "100", "typed by mistake")
    seat.bench.until(lambda: "state done" in seat.get(address).text, "the operation")
    assert seat.parts.jobs.read(letter).discarded
    chromium.run("await page.reload()")
    assert "set aside" in chromium.text() and "typed by mistake" in chromium.text()
