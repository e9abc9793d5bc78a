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


def checked(chromium: Chromium, size: str, name: str) -> str:
    """What the page says, when it is readable for everybody and fits the screen; a picture of it is kept."""
    chromium.shot(f"did-{name}-{size}-light")
    assert chromium.violations() == [], name
    beyond = chromium.run("return page.evaluate(() => document.documentElement.scrollWidth - innerWidth)")
    assert beyond <= 0, f"{name} is wider than the screen"
    return chromium.text()


@sizes
def test_a_letter_is_noted_set_aside_taken_back_and_sent_again(chromium: Chromium, scene: Scene, size: str) -> None:
    letter = scene.seat.not_found()
    chromium.open(scene.seat.base, size)
    chromium.go(f"/dead-letters/{letter}")
    fill_and_press(chromium, "Note", "asked the CPO\nthey look into it", "Write it down")
    assert "they look into it" in checked(chromium, size, "note")
    fill_and_press(chromium, "Reason", "a typing mistake", "Set aside")
    assert "It was set aside" in checked(chromium, size, "set-aside")
    fill_and_press(chromium, "Reason", "it was none", "Take back")
    assert "It was taken back" in chromium.text()
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
    assert "must not be repeated blindly" in checked(chromium, size, "careful")
    fill_and_press(chromium, "Reason", "just try", "Send again")
    assert "nobody knows whether it was carried out" in chromium.text()
    assert scene.seat.parts.jobs.read(letter).state == "dead"


@sizes
def test_a_problem_is_known_ignored_and_opened_again(chromium: Chromium, scene: Scene, size: str) -> None:
    scene.seat.unknown()
    chromium.open(scene.seat.base, size)
    chromium.go(f"/problems/{scene.seat.parts.jobs.read(scene.careful).problem}")
    says = {"I know of it": "not told again", "Ignore it": "nobody is told", "Open it again": "It is open again"}
    for button, said in says.items():
        fill_and_press(chromium, "Reason", "said in a test", button)
        assert said in checked(chromium, size, "problem")


@sizes
def test_an_alert_is_acknowledged_and_ended(chromium: Chromium, scene: Scene, size: str) -> None:
    scene.seat.unknown()
    chromium.open(scene.seat.base, size)
    chromium.go("/alerts")
    chromium.run("await page.locator('.row-link').first().click()")
    if "I know of it" in chromium.text():
        fill_and_press(chromium, "Reason", "asked their support", "I know of it")
    assert "acknowledged" in checked(chromium, size, "alert")
    fill_and_press(chromium, "Reason", "it is mended", "It is over")
    assert "Noted as over" in chromium.text()


@sizes
def test_a_filter_is_kept_opened_and_dropped(chromium: Chromium, scene: Scene, size: str) -> None:
    chromium.open(scene.seat.base, size)
    chromium.go("/dead-letters?class=not_found")
    chromium.run("await page.locator('.keep summary').click()")
    fill_and_press(chromium, "Name", "ids that do not exist", "Keep")
    assert "ids that do not exist" in checked(chromium, size, "view")
    chromium.go("/dead-letters")
    chromium.run("await page.getByRole('link', {name: 'ids that do not exist'}).click()")
    chromium.run("await page.waitForURL('**/dead-letters?class=not_found')")
    chromium.run("await page.locator('.keep summary').click()")
    chromium.run("await page.getByRole('button', {name: 'drop'}).click()")
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
    assert "It is held" in checked(chromium, size, "held")
    card = "section[aria-label='account:stellantis:fleet-2']"
    chromium.run("await page.locator(given.card).getByLabel('Reason').fill('over')", card=card)
    chromium.run("await page.locator(given.card).getByRole('button').click()", card=card)
    assert "It is released" in chromium.text()
    chromium.go(f"/jobs/{waits}")
    fill_and_press(chromium, "Reason", "not wanted any more", "Cancel it")
    assert "It was cancelled" in checked(chromium, size, "cancelled")


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
    chromium.run("await page.keyboard.press('g'); await page.keyboard.press('a'); await page.waitForURL('**/alerts')")
    assert "Alerts" in chromium.text()


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
        assert "The store does not answer" in checked(chromium, size, "store-away")
    chromium.run("await page.getByRole('heading', {name: 'Lanes'}).waitFor()")
    assert "hub.list_locations" in chromium.text()
