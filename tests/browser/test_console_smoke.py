"""The console in a real browser, in short: it looks, it is readable for everybody, it sends a letter again."""

from tests.browser.chromium import Chromium
from tests.browser.conftest import Scene


def test_the_console_is_readable_loads_nothing_from_elsewhere_and_sends_a_letter_again(
    chromium: Chromium, scene: Scene
) -> None:
    chromium.open(scene.seat.base)
    for name in ("overview", "problems", "letter"):
        assert chromium.go(scene.pages[name]) == 200
        assert chromium.violations() == [], name
    letter = scene.seat.not_found()
    chromium.go(f"/dead-letters/{letter}")
    chromium.run("await page.getByLabel('Reason').fill('the location exists now')")
    chromium.run("await page.getByRole('button', {name: 'Send again'}).click()")
    scene.seat.bench.until(lambda: scene.seat.parts.jobs.read(letter).redrives == 1, "the redrive")
    noted = chromium.noted()
    assert (noted.foreign, noted.complaints) == ([], [])
