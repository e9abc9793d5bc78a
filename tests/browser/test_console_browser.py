"""The console in a real browser, in full: every page on a desk and a phone, by light and in the dark; without scripts;
by keyboard; while it looks again by itself.
"""

import pytest

from tests.browser.chromium import Chromium
from tests.browser.conftest import Scene

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_every_page_is_readable_for_everybody(chromium: Chromium, scene: Scene, size: str, scheme: str) -> None:
    chromium.open(scene.seat.base, size, scheme)
    for name, path in scene.pages.items():
        chromium.go(path)
        chromium.shot(f"{name}-{size}-{scheme}")
        assert chromium.violations() == [], name
        beyond = chromium.run("return page.evaluate(() => document.documentElement.scrollWidth - innerWidth)")
        assert beyond <= 0, f"{name} is wider than the screen"
    noted = chromium.noted()
    assert noted.foreign == []
    assert [said for said in noted.complaints if "Failed to load resource" not in said] == []


def test_reading_and_sending_again_need_no_scripts(chromium: Chromium, scene: Scene) -> None:
    chromium.open(scene.seat.base, scripts=False)
    letter = scene.seat.not_found()
    for path in scene.pages.values():
        assert chromium.go(path) in (200, 400, 404)
    chromium.go("/dead-letters?class=not_found")
    chromium.run("await page.locator(`a[href$='${given.letter}']`).first().click()", letter=letter)
    chromium.expect_text("What can safely be done")
    chromium.run("await page.getByLabel('Reason').fill('by hand')")
    chromium.run("await page.getByRole('button', {name: 'Set aside'}).click()")
    chromium.expect_text("It was set aside")
    assert scene.seat.parts.jobs.read(letter).discarded
    chromium.go("/dead-letters/plan?verb=restore&pile=discarded")
    chromium.run("await page.getByLabel('Reason').fill('all of them')")
    chromium.run("await page.getByRole('button', {name: 'Take back'}).click()")
    chromium.run("await page.waitForURL('**/operations/op-*')")
    scene.seat.bench.until(lambda: not scene.seat.parts.jobs.read(letter).discarded, "the operation")
    chromium.run("await page.reload()")
    chromium.expect_text("taken back")


def test_a_page_looks_again_by_itself_but_not_under_the_pointer(chromium: Chromium, scene: Scene) -> None:
    chromium.open(scene.seat.base)
    chromium.go("/")
    scope = "account:stellantis:fleet-2"
    scene.seat.parts.holds.hold(scope, "somebody", "seen without loading")
    chromium.expect_text("seen without loading")
    chromium.run("await page.locator('.tiles a').first().hover()")
    scene.seat.parts.holds.release(scope, "somebody", "")
    chromium.run("await page.locator('#fresh:not([hidden])').waitFor()")
    chromium.expect_beats()
    assert "seen without loading" in chromium.text(), "it rests under the pointer"
    chromium.run("await page.mouse.move(5, 700)")
    chromium.run("await page.waitForFunction(() => !document.body.innerText.includes('seen without loading'))")
    chromium.run("await page.locator('#flow canvas').first().waitFor()")
    assert chromium.noted().complaints == []


def test_a_page_says_when_it_hears_nothing(chromium: Chromium, scene: Scene) -> None:
    chromium.open(scene.seat.base)
    chromium.go("/workers")
    chromium.run("await context.setOffline(true)")
    chromium.expect_text("No answer since")
    chromium.run("await context.setOffline(false)")
    chromium.run("await page.waitForFunction(() => document.getElementById('stale').hidden)")
    assert "No answer since" not in chromium.text()


def test_a_page_says_when_it_waits_for_an_answer(chromium: Chromium, scene: Scene) -> None:
    chromium.open(scene.seat.base)
    chromium.go("/workers")
    chromium.run("await page.route('**/workers', (route) => { globalThis.unanswered = route; })")
    chromium.expect_text("No answer since")
    chromium.run("await globalThis.unanswered.continue(); await page.unroute('**/workers')")
    chromium.run("await page.waitForFunction(() => document.getElementById('stale').hidden)")
    assert chromium.noted().complaints == []


def test_everything_is_reached_by_keyboard(chromium: Chromium, scene: Scene) -> None:
    chromium.open(scene.seat.base)
    chromium.go("/")
    focused = "return page.evaluate(() => (document.activeElement.textContent || '').trim())"
    chromium.run("await page.keyboard.press('Tab')")
    assert chromium.run(focused) == "Skip to the page"
    together = "await Promise.all([page.keyboard.press('g'), page.keyboard.press(given.then)])"
    chromium.run(f"{together}; await page.waitForURL('**/problems')", then="p")
    chromium.run("await page.keyboard.press('j'); await page.keyboard.press('Enter')")
    chromium.run("await page.waitForURL('**/problems/*')")
    chromium.run(f"{together}; await page.waitForURL('**/dead-letters')", then="d")
    chromium.run("await page.keyboard.press('/')")
    assert chromium.run("return page.evaluate(() => document.activeElement.name)") == "account"
    seen = chromium.run(
        """
        const names = new Set();
        for (let i = 0; i < 60; i += 1) {
          await page.keyboard.press('Tab');
          names.add(await page.evaluate(() => {
            const shown = getComputedStyle(document.activeElement);
            return document.activeElement === document.body || shown.outlineStyle !== 'none';
          }));
        }
        return [...names];
        """
    )
    assert seen == [True], "whatever has the focus shows it"


def test_a_script_in_a_record_does_not_run(chromium: Chromium, scene: Scene) -> None:
    letter = scene.seat.not_found()
    store, key = scene.seat.bench.store, scene.seat.bench.key
    store.hset(key("job", letter), "why", '<img src=x onerror="window.hit=1"><script>window.hit=1</script>')
    chromium.open(scene.seat.base)
    for path in (f"/dead-letters/{letter}", "/dead-letters"):
        chromium.go(path)
        assert chromium.run("return page.evaluate(() => window.hit)") is None
        assert "<script>window.hit=1</script>" in chromium.text()
    # And if a mistake of ours let one through, the page's policy would not run it.
    chromium.run(
        "await page.evaluate(() => { const own = document.createElement('script'); own.textContent = 'window.hit=1'; "
        "document.body.append(own); })"
    )
    assert chromium.run("return page.evaluate(() => window.hit)") is None
