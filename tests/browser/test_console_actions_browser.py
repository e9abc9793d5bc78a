"""Everything a person can do in the console, done in a real browser at a desk and on a phone."""

import pytest
import redis

from tests.browser.chromium import SIZES, Chromium
from tests.browser.conftest import Scene

pytestmark = pytest.mark.slow
sizes = pytest.mark.parametrize("size", sorted(SIZES))


def fill_and_press(chromium: Chromium, label: str, text: str, button: str) -> None:
    chromium.run("await page.getByLabel(given.label, {exact: true}).first().fill(given.text)", label=label, text=text)
    chromium.run("await page.getByRole('button', {name: given.name, exact: true}).first().click()", name=button)


def check_page(chromium: Chromium, size: str, name: str, said: str) -> None:
    """The page comes to say it, is readable for everybody then, and fits the screen; a picture of it is kept."""
    chromium.expect_text(said)
    chromium.shot(f"did-{name}-{size}-light")
    assert chromium.violations() == [], name
    beyond = chromium.run("return page.evaluate(() => document.documentElement.scrollWidth - innerWidth)")
    assert beyond <= 0, f"{name} is wider than the screen"


@sizes
def test_a_letter_is_noted_set_aside_taken_back_and_sent_again(chromium: Chromium, scene: Scene, size: str) -> None:
    letter = scene.seat.not_found()
    chromium.open(scene.seat.base, size)
    chromium.go(f"/dead-letters/{letter}")
    fill_and_press(chromium, "Note", "asked the CPO\nthey look into it", "Write it down")
    check_page(chromium, size, "note", "they look into it")
    fill_and_press(chromium, "Reason", "a typing mistake", "Set aside")
    check_page(chromium, size, "set-aside", "It was set aside")
    fill_and_press(chromium, "Reason", "it was none", "Take back")
    chromium.expect_text("It was taken back")
    fill_and_press(chromium, "Reason", "it exists now", "Send again")
    scene.seat.bench.until(lambda: scene.seat.parts.jobs.read(letter).redrives == 1, "the redrive")
    assert chromium.noted().complaints == []


@sizes
def test_a_call_that_may_have_been_carried_out_needs_a_person_who_knows(
    chromium: Chromium, scene: Scene, size: str
) -> None:
    letter = scene.seat.unknown()
    chromium.open(scene.seat.base, size)
    chromium.go(f"/dead-letters/{letter}")
    check_page(chromium, size, "careful", "must not be repeated blindly")
    fill_and_press(chromium, "Reason", "just try", "Send again")
    chromium.expect_text("nobody knows whether it was carried out")
    assert scene.seat.parts.jobs.read(letter).state == "dead"


@sizes
def test_a_problem_is_known_ignored_and_opened_again(chromium: Chromium, scene: Scene, size: str) -> None:
    scene.seat.unknown()
    chromium.open(scene.seat.base, size)
    chromium.go(f"/problems/{scene.seat.parts.jobs.read(scene.careful).problem}")
    says = {"I know of it": "not told again", "Ignore it": "nobody is told", "Open it again": "It is open again"}
    for button, said in says.items():
        fill_and_press(chromium, "Reason", "said in a test", button)
        check_page(chromium, size, "problem", said)


@sizes
def test_an_alert_is_acknowledged_and_ended(chromium: Chromium, scene: Scene, size: str) -> None:
    scene.seat.unknown()
    chromium.open(scene.seat.base, size)
    chromium.go("/alerts")
    chromium.run("await page.locator('.row-link').first().click(); await page.waitForURL('**/alerts/one?**')")
    if "I know of it" in chromium.text():
        fill_and_press(chromium, "Reason", "asked their support", "I know of it")
    check_page(chromium, size, "alert", "acknowledged")
    fill_and_press(chromium, "Reason", "it is mended", "It is over")
    chromium.expect_text("Noted as over")


@sizes
def test_a_filter_is_kept_opened_and_dropped(chromium: Chromium, scene: Scene, size: str) -> None:
    chromium.open(scene.seat.base, size)
    chromium.go("/dead-letters?class=not_found")
    chromium.run("await page.locator('.keep summary').click()")
    fill_and_press(chromium, "Name", "ids that do not exist", "Keep")
    check_page(chromium, size, "view", "ids that do not exist")
    chromium.go("/dead-letters")
    chromium.run("await page.getByRole('link', {name: 'ids that do not exist'}).click()")
    chromium.run("await page.waitForURL('**/dead-letters?class=not_found')")
    chromium.run("await page.locator('.keep summary').click()")
    chromium.run("await page.getByRole('button', {name: 'drop'}).click()")
    chromium.run("await page.locator('.view').waitFor({state: 'detached'})")
    chromium.go("/dead-letters")
    assert chromium.run("return page.locator('.view').count()") == 0


@sizes
def test_a_lane_is_held_and_released_and_a_job_cancelled(chromium: Chromium, scene: Scene, size: str) -> None:
    waits = scene.seat.waiting()
    chromium.open(scene.seat.base, size)
    chromium.go("/lanes")
    chromium.run("await page.getByLabel('What', {exact: true}).selectOption('account:stellantis:fleet-2')")
    form = "section[aria-label='Hold something']"
    chromium.run("await page.locator(given.form).getByLabel('Reason').fill('maintenance')", form=form)
    chromium.run("await page.getByRole('button', {name: 'Hold', exact: true}).click()")
    check_page(chromium, size, "held", "It is held")
    card = "section[aria-label='account:stellantis:fleet-2']"
    chromium.run("await page.locator(given.card).getByLabel('Reason').fill('over')", card=card)
    chromium.run("await page.locator(given.card).getByRole('button').click()", card=card)
    chromium.expect_text("It is released")
    chromium.go(f"/jobs/{waits}")
    fill_and_press(chromium, "Reason", "not wanted any more", "Cancel it")
    check_page(chromium, size, "cancelled", "It was cancelled")


def test_a_list_is_saved_as_a_file(chromium: Chromium, scene: Scene) -> None:
    chromium.open(scene.seat.base)
    chromium.go("/dead-letters?class=not_found")
    name = chromium.run(
        "const [saved] = await Promise.all([page.waitForEvent('download'), "
        "page.getByRole('link', {name: 'CSV'}).click()]); return saved.suggestedFilename()"
    )
    assert name == "dead-letters.csv"
    assert chromium.noted().foreign == []


def test_the_keys_are_listed_and_closed_by_keyboard(chromium: Chromium, scene: Scene) -> None:
    chromium.open(scene.seat.base)
    chromium.go("/")
    chromium.run("await page.keyboard.press('?'); await page.locator('dialog[open]').waitFor()")
    assert chromium.violations() == []
    chromium.shot("keys-desktop-light")
    chromium.run("await page.keyboard.press('Escape'); await page.locator('dialog').waitFor({state: 'hidden'})")
    chromium.run("await Promise.all([page.keyboard.press('g'), page.keyboard.press('a')])")
    chromium.run("await page.waitForURL('**/alerts')")
    chromium.expect_text("Alerts")


@sizes
def test_a_store_that_is_away_is_a_page_and_comes_back_by_itself(
    chromium: Chromium, scene: Scene, size: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise redis.exceptions.ConnectionError("away")

    chromium.open(scene.seat.base, size)
    with monkeypatch.context() as patched:
        patched.setattr(type(scene.seat.partition), "ask", away)
        assert chromium.go(f"/lanes?account=hub:IN-ABC&size={size}") == 503
        check_page(chromium, size, "store-away", "The store does not answer")
    chromium.run("await page.getByRole('heading', {name: 'Lanes'}).waitFor()")
    chromium.expect_text("hub.list_locations")
