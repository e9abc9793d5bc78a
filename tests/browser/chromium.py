"""A real browser for tests: the Chromium that the system has, driven through Node.

What Node needs is named with its hashes in `package-lock.json` and put under `var/browser` by the first test that asks.
Where there is no Node, no Chromium or no way to fetch the two packages, `Missing` says which.
"""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

HERE = Path(__file__).parent
VAR = HERE.parents[1] / "var" / "browser"
NAMED = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OLDEST_NODE = 20
HEARD = "(events) => events.every((one) => window.heard && window.heard[one])"
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}


class Missing(Exception):
    """There is no browser to be had; the message says what lacks."""


def find_browser() -> str:
    found = next((path for name in NAMED if (path := shutil.which(name))), None)
    if found is None:
        raise Missing("no Chromium is installed (Debian: apt install chromium)")
    return found


def fetched() -> Path:
    """The folder with what `package-lock.json` names, fetched once."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise Missing("Node and npm are not installed")
    said = subprocess.run(["node", "--version"], capture_output=True, text=True, timeout=30, check=False).stdout
    if int((said.removeprefix("v").split(".")[0].strip()) or 0) < OLDEST_NODE:
        raise Missing(f"Node {said.strip()} is older than {OLDEST_NODE}")
    lock = (HERE / "package-lock.json").read_bytes()
    stamp = VAR / "fetched"
    if not stamp.exists() or stamp.read_bytes() != lock:
        VAR.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, VAR / name)
        words = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent", "--fetch-retries=1"]
        try:
            subprocess.run(words, cwd=VAR, capture_output=True, timeout=60, check=True)
        except subprocess.SubprocessError:
            raise Missing("npm could not fetch what tests/browser/package-lock.json names") from None
        stamp.write_bytes(lock)
    return VAR


@dataclass(frozen=True)
class Noted:
    """What a visit left: addresses elsewhere that were asked for, and complaints of the page."""

    foreign: list[str]
    complaints: list[str]


class Chromium:
    """One browser process; `open` begins a visit with nothing remembered."""

    def __init__(self) -> None:
        words = ["node", str(HERE / "driver.mjs"), str(fetched()), find_browser()]
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=30)

    def _ask(self, what: str, **facts: Any) -> Any:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps({"what": what, **facts}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the browser's driver ended"
        answer = json.loads(line)
        assert "error" not in answer, answer["error"]
        return answer["value"]

    def open(self, base: str, size: str = "desktop", scheme: str = "light", *, scripts: bool = True) -> None:
        width, height = SIZES[size]
        self._ask("open", at=base, width=width, height=height, scheme=scheme, scripts=scripts)

    def run(self, code: str, **given: Any) -> Any:
        """Runs JavaScript in the driver, with Playwright's `page` and `context`, and what was `given`."""
        return self._ask("run", code=code, given=given)

    def go(self, path: str) -> int:
        """Opens a page; its status."""
        return int(self.run("return (await page.goto(given.path)).status()", path=path))

    def text(self) -> str:
        """What the page says now; after a click ask `expect_text`, for the next page may have come only half."""
        return str(self.run("return page.innerText('body')"))

    def expect_text(self, *said: str) -> None:
        """Waits until the page says all of it."""
        self.run(
            """
            const until = Date.now() + 30000;
            for (;;) {
              const text = await page.innerText('body'), lacks = given.said.filter((one) => !text.includes(one));
              if (!lacks.length) return;
              if (Date.now() > until) throw new Error(`the page does not say ${JSON.stringify(lacks)}, but: ${text}`);
              await new Promise((done) => setTimeout(done, 20));
            }
            """,
            said=said,
        )

    def expect_heard(self, *events: str) -> None:
        """Waits until the page has been told each of these by its stream."""
        self.run(f"await page.waitForFunction({HEARD}, given.events)", events=events)

    def expect_beats(self) -> None:
        """Waits until the page has been told twice more that there is nothing new, and so has had time for mischief."""
        before = self.run("return page.evaluate(() => window.heard.beat || 0)")
        self.run("await page.waitForFunction((most) => window.heard.beat >= most, given.most)", most=before + 2)

    def shot(self, name: str) -> Path:
        """A picture of the whole page, under `var/browser/shots`."""
        path = VAR / "shots" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        self.run("await page.screenshot({path: given.path, fullPage: true})", path=str(path))
        return path

    def violations(self) -> list[dict[str, Any]]:
        """What axe finds serious or critical on this page."""
        return [one for one in self._ask("axe") if one["impact"] in ("serious", "critical")]

    def noted(self) -> Noted:
        return Noted(**self._ask("noted"))
