"""Demo: what the audience sees meanwhile: the story line by line, and on a terminal the live table below it.

Promise: a look that fails is skipped: showing never disturbs the story. Without a terminal the state is one line now
and then. Scope: when something is shown; `table.py` draws it.
"""

from __future__ import annotations

import threading
import time

import redis
from rich.console import Console
from rich.live import Live
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from worker.demo.picture import Picture
from worker.demo.table import draw, short
from worker.demo.watch import Look, Watch

EVERY_S = 0.3
LINE_EVERY_S = 4.0
MARKS = {"✓": "green", "✗": "bold red"}


class Show:
    """Shows how things stand until it is left, from a thread of its own. `say` and `title` print above the table."""

    def __init__(
        self, watch: Watch, console: Console, heading: str = "", *, picture: Picture | None = None
    ) -> None:
        self._watch = watch
        self._console = console
        self._heading = heading
        self._picture = picture
        self._said_at = 0.0
        self._begun = time.monotonic()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="demo-show", daemon=True)
        self._live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None

    def __enter__(self) -> Show:
        if self._live is not None:
            self._live.start()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        if self._live is not None:
            self._live.stop()

    @property
    def age_s(self) -> float:
        return time.monotonic() - self._begun

    def title(self, text: str) -> None:
        """An act begins."""
        self._heading = text
        self._print("")
        self._print(text, "bold", self.age_s)

    def say(self, text: str) -> None:
        """Something happens, is expected, or has come about."""
        self._print(text, MARKS.get(text[:1], ""), self.age_s)

    def _print(self, text: str, style: str = "", age_s: float | None = None) -> None:
        when = "" if age_s is None else f"{age_s:5.1f} s"
        if self._live is None:
            self._console.print(f"{when}  {text}" if when else text, highlight=False, markup=False, soft_wrap=True)
            return
        row = Table.grid(padding=(0, 2))
        row.add_row(Text(when, "dim"), Text(text, style))
        self._console.print(Padding(row, 0) if when else "")

    def _run(self) -> None:
        while not self._over.wait(EVERY_S if self._live is not None or self._picture is not None else LINE_EVERY_S):
            try:
                look = self._watch.look()
            except (redis.RedisError, OSError, ValueError):
                continue
            heading = f"{self._heading} ({self.age_s:.0f} s)" if self._heading else "Paceline"
            if self._picture is not None:
                self._picture.see(look, heading)
            if self._live is not None:
                self._live.update(draw(look, heading, *self._console.size), refresh=True)
            elif self.age_s - self._said_at >= LINE_EVERY_S:
                self._said_at = self.age_s
                self._print("| " + line(look), age_s=self.age_s)


def line(look: Look) -> str:
    """All of it in one line."""
    states = ", ".join(f"{count} {state}" for state, count in sorted(look.states.items()) if count)
    used = [(budget, window) for budget in look.budgets for window in budget.windows if window.used]
    windows = ", ".join(f"{short(budget.account)} {w.name} {w.used}/{w.limit}" for budget, w in used)
    workers = [f"{name} {state}" for name, state in look.workers if state != "running"]
    holds = [f"{hold.scope.partition(':')[2]} on hold ({hold.cause})" for hold, _ in look.holds]
    return " | ".join(part for part in (states, windows or "no window in use", *workers, *holds) if part)
