"""What happens on an open page in a real browser: news comes by a stream, nothing moves under a pointer, letters never
move by themselves; and without a stream the page asks now and then.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.browser.chromium import Chromium
from tests.browser.conftest import Scene
from worker.accept.intake.callers import KeyRing

pytestmark = pytest.mark.slow
WITHOUT = "await page.waitForFunction((said) => !document.body.innerText.includes(said), given.said)"
NO_LOOKS = "await page.route((address) => address.pathname === '/lanes', () => {})"  # no answer
MARKED = "return page.evaluate(() => document.querySelector('#live').firstElementChild.dataset.mark || '')"
MARK = MARKED.replace("|| ''", "= 'the same'")
SCOPE = "account:stellantis:fleet-2"


@contextmanager
def held(scene: Scene, reason: str) -> Iterator[None]:
    """Something that every page about lanes shows."""
    holds = scene.seat.parts.holds
    holds.hold(SCOPE, "somebody", reason)
    try:
        yield
    finally:
        if SCOPE in holds.all():
            holds.release(SCOPE, "somebody", "")


def test_news_comes_by_the_stream(chromium: Chromium, scene: Scene) -> None:
    chromium.open(scene.seat.base)
    chromium.go("/lanes")
    chromium.expect_heard("marks")
    chromium.run(NO_LOOKS)  # only the stream can tell
    with held(scene, "told at once"):
        chromium.run("await page.locator('.count.held:not([hidden])').waitFor()")
    noted = chromium.noted()
    assert (noted.foreign, noted.complaints) == ([], [])


def test_a_table_under_the_pointer_waits_and_says_so(chromium: Chromium, scene: Scene) -> None:
    chromium.open(scene.seat.base)
    chromium.go("/lanes")
    chromium.run("await page.locator('table.rows tbody tr').first().hover()")
    chromium.run(MARK)
    with held(scene, "waits below"):
        chromium.run("await page.locator('#fresh:not([hidden])').waitFor()")
        chromium.expect_beats()
        assert chromium.run(MARKED), "the table rests under the pointer"
        chromium.run("await page.mouse.move(4, 4)")
        chromium.run("await page.locator('#fresh').waitFor({state: 'hidden'})")
        moved_on = "() => !document.querySelector('#live').firstElementChild.dataset.mark"
        chromium.run(f"await page.waitForFunction({moved_on})")
        assert chromium.violations() == []


def test_a_focus_in_a_table_keeps_its_row(chromium: Chromium, scene: Scene) -> None:
    chromium.open(scene.seat.base)
    chromium.go("/lanes")
    chromium.run("await page.keyboard.press('j'); await page.keyboard.press('j')")
    focused = "return page.evaluate(() => document.activeElement.getAttribute('href'))"
    row = chromium.run(focused)
    with held(scene, "while I read"):
        chromium.run("await page.locator('#fresh:not([hidden])').waitFor()")
        assert chromium.run(focused) == row
        chromium.run("await page.keyboard.press('u')")
        chromium.run("await page.locator('#fresh').waitFor({state: 'hidden'})")


def test_letters_wait_until_somebody_wants_to_see_them(chromium: Chromium, scene: Scene) -> None:
    chromium.open(scene.seat.base, "phone")
    chromium.go("/dead-letters")
    chromium.expect_heard("beat")  # it has been told how many there were
    letter = scene.seat.not_found()
    chromium.run("await page.locator('#fresh', {hasText: '1 new'}).waitFor()")
    chromium.shot("news-phone-light")
    row = f"a.row-link[href$='{letter}']"
    assert chromium.run("return page.locator(given.row).count()", row=row) == 0, "nothing moved"
    chromium.run("await page.locator('#fresh').click(); await page.locator(given.row).waitFor()", row=row)
    beyond = chromium.run("return page.evaluate(() => document.documentElement.scrollWidth - innerWidth)")
    assert beyond <= 0 and chromium.violations() == []


def test_without_a_stream_the_page_asks_now_and_then(chromium: Chromium, scene: Scene) -> None:
    chromium.open(scene.seat.base)
    chromium.run("await context.route('**/live', (route) => route.fulfill({status: 503}))")
    scene.seat.bench.until(lambda: scene.seat.console.live.streams == 0, "the streams of earlier pages end")
    chromium.go("/")
    with held(scene, "asked for"):
        chromium.expect_text("asked for")
    chromium.run(WITHOUT, said="asked for")
    assert scene.seat.console.live.streams == 0


def test_a_hidden_page_neither_listens_nor_asks(chromium: Chromium, scene: Scene) -> None:
    chromium.open(scene.seat.base)
    live = scene.seat.console.live
    scene.seat.bench.until(lambda: live.streams == 0, "the streams of earlier pages end")
    chromium.go("/lanes")
    scene.seat.bench.until(lambda: live.streams == 1, "the stream")
    chromium.run("await page.goto('about:blank')")
    scene.seat.bench.until(lambda: live.streams == 0 and not live.polling, "nobody looks")
    assert not live.polling


@contextmanager
def signed_in(chromium: Chromium, scene: Scene, name: str) -> Iterator[None]:
    """The page of lanes, looked at with a key of this name."""
    ring = KeyRing(scene.seat.partition)
    _, key = ring.create(name, ("operate",), None, "test")
    scene.seat.parts.callers.refresh()
    try:
        chromium.open(scene.seat.base)
        chromium.go("/sign-in?next=/lanes")
        chromium.run("await page.getByLabel('Key').fill(given.key); await page.keyboard.press('Enter')", key=key)
        chromium.run("await page.waitForURL((address) => address.pathname === '/lanes')")
        chromium.expect_heard("marks")  # its stream is open
        yield
    finally:
        ring.revoke(name, "test", "over")
        scene.seat.parts.callers.refresh()


def test_whoever_signs_out_sees_no_more_anywhere(chromium: Chromium, scene: Scene) -> None:
    with signed_in(chromium, scene, "tab"):
        chromium.run(
            "const other = await context.newPage(); await other.goto('/audit'); "
            "await other.getByRole('button', {name: 'sign out'}).click(); await other.waitForURL('**/sign-in'); "
            "await other.close(); await page.waitForURL((address) => address.pathname === '/sign-in')"
        )
        chromium.expect_text("Sign in")


def test_signing_out_leads_to_the_door_though_the_stream_ends_first(chromium: Chromium, scene: Scene) -> None:
    with signed_in(chromium, scene, "slow"):
        # the server has signed out, and its answer takes longer than the stream takes to say so
        chromium.run(
            "let tell; const told = new Promise((done) => { tell = done; }); "
            "const closed = page.waitForEvent('console', (one) => one.text() === 'heard closed'); "
            "await page.route('**/sign-out', async (route) => { const answer = await route.fetch({maxRedirects: 0}); "
            "await told; await route.fulfill({response: answer}); }); "
            "await page.getByRole('button', {name: 'sign out'}).click({noWaitAfter: true}); await closed; tell(); "
            "await page.waitForURL((address) => address.pathname === '/sign-in' && !address.search)"
        )
        assert not chromium.run("return (await context.cookies()).length"), "the browser was told to forget"


def test_what_was_asked_for_before_the_pointer_came_waits_as_well(chromium: Chromium, scene: Scene) -> None:
    scene.seat.partition.decide("minute", {"every": 60_000_000, "keep": 10})
    chromium.open(scene.seat.base)
    chromium.go("/?hours=1h")
    chromium.run("await page.locator('#flow canvas').first().waitFor()")
    # the answer comes when the pointer has
    chromium.run(
        "let came, asked; const pointed = new Promise((done) => { came = done; }); "
        "const request = new Promise((done) => { asked = done; }); "
        "await page.route((address) => address.pathname === '/', async (route) => { "
        "asked(route.request()); await pointed; await route.continue(); }); "
        "await page.evaluate(() => document.body.dispatchEvent(new CustomEvent('look'))); const one = await request; "
        "await page.locator('[data-strip=died] .u-over').hover({position: {x: 40, y: 5}}); "
        "await page.locator('[data-reading]:not([hidden])').nth(2).waitFor(); came(); await one.response()"
    )
    chromium.run("await page.getByRole('button', {name: 'Updated'}).waitFor()")
    readings = chromium.run("return page.locator('[data-reading]:not([hidden])').allInnerTexts()")
    assert len(readings) == 3 and all("UTC: " in one for one in readings), "it is still what was pointed at"


def test_the_hours_are_read_by_pointing(chromium: Chromium, scene: Scene) -> None:
    scene.seat.partition.decide("minute", {"every": 60_000_000, "keep": 10})
    scene.seat.not_found()
    chromium.open(scene.seat.base)
    chromium.go("/?hours=1h")
    chromium.run("await page.locator('#flow canvas').first().waitFor()")
    chromium.run("await page.locator('[data-strip=died] .u-over').hover({position: {x: 40, y: 5}})")
    chromium.run("await page.locator('[data-reading]:not([hidden])').nth(2).waitFor()")
    readings = chromium.run("return page.locator('[data-reading]').allInnerTexts()")
    assert len(readings) == 3 and all("UTC: " in one for one in readings)
    chromium.run(MARK)
    chromium.expect_beats()
    assert chromium.run(MARKED), "what is pointed at stays"
