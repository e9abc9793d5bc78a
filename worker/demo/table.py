"""Demo: the one live table on a terminal; a line now and then anywhere else.

Promise: a look that fails is skipped: showing never disturbs the story. Scope: showing.
"""

from __future__ import annotations

import threading
import time
from collections import Counter

import redis
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from worker.demo.watch import Look, Watch, Window

EVERY_S = 0.5
LINE_EVERY_S = 4.0
BAR = 20
COLOURS = {"running": "green", "frozen": "blue", "killed": "red"}


class Show(threading.Thread):
    """Shows how things stand until it is stopped, in a thread of its own. `say` and `title` print above the table."""

    def __init__(self, watch: Watch, console: Console) -> None:
        super().__init__(name="demo-table", daemon=True)
        self._watch = watch
        self._console = console
        self._begun = time.monotonic()
        self._stop = threading.Event()
        self._live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None

    def __enter__(self) -> Show:
        if self._live is not None:
            self._live.start()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self.join()
        if self._live is not None:
            self._live.stop()

    def say(self, text: str) -> None:
        self._print(f"{self.age_s:6.1f} s  {text}", "red" if text.startswith("✗") else "")

    def title(self, text: str) -> None:
        self._print("")
        self._print(f"{self.age_s:6.1f} s  {text}", "bold")

    @property
    def age_s(self) -> float:
        return time.monotonic() - self._begun

    def _print(self, text: str, style: str = "") -> None:
        self._console.print(text, style=style, highlight=False, markup=False, soft_wrap=True)

    def run(self) -> None:
        every = EVERY_S if self._live is not None else LINE_EVERY_S
        while not self._stop.wait(every):
            try:
                look = self._watch.look()
            except (redis.RedisError, OSError):
                continue
            if self._live is not None:
                self._live.update(table(look), refresh=True)
            else:
                self._print(line(look, self.age_s))


def line(look: Look, age_s: float) -> str:
    """All of it in one line."""
    states = ", ".join(f"{count} {state}" for state, count in sorted(look.states.items()) if count)
    windows = ", ".join(f"{short(w.account)} {w.name} {w.used}/{w.limit}" for w in look.windows if w.used)
    workers = ", ".join(f"{name} {state}" for name, state in look.workers)
    return f"{age_s:6.1f} s  | {states} | {windows or 'no window in use'} | {workers}"


def table(look: Look) -> RenderableType:
    """Lanes at the left; windows, workers and holds at the right."""
    side = Group(_windows(look.windows), Text(), _workers(look))
    whole = Table.grid(padding=(1, 3, 0, 0))
    whole.add_row(_lanes(look), side)
    return whole


def short(account: str) -> str:
    return account.partition(":")[2]


def _lanes(look: Look) -> Table:
    shown = Table(box=None, header_style="bold", pad_edge=False)
    shown.add_column("lane", no_wrap=True)
    for name in ("waiting", "in flight", "done", "dead", "other"):
        shown.add_column(name, justify="right")
    for (account, operation), states in sorted(look.lanes.items()):
        shown.add_row(f"{short(account)} {operation.rpartition('.')[2]}", *_figures(states))
    shown.add_row("all", *_figures(look.states), style="bold")
    return shown


def _figures(states: Counter[str]) -> list[Text]:
    styles = {"waiting": "", "running": "yellow", "done": "green", "dead": "red"}
    other = states["cancelled"] + states["expired"]
    return [*(Text(str(states[name] or ""), style) for name, style in styles.items()), Text(str(other or ""))]


def _windows(windows: list[Window]) -> Table:
    shown = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("window", "used / limit", "", ""):
        shown.add_column(name, no_wrap=True)
    for one in windows:
        note = "closed by a refusal" if one.closed else f"{one.foreign} foreign" if one.foreign else ""
        figures = f"{one.used:>3} / {one.limit} in {one.length_s:g} s"
        shown.add_row(f"{short(one.account)} {one.name}", figures, _bar(one), Text(note, "magenta"))
    return shown


def _bar(one: Window) -> Text:
    ours = round(BAR * min(1.0, one.used / one.limit))
    others = min(BAR - ours, round(BAR * one.foreign / one.limit))
    rest = BAR - ours - others
    return Text("█" * ours, "cyan") + Text("█" * others, "magenta") + Text("░" * rest, "dim")


def _workers(look: Look) -> Text:
    text = Text("workers  ", "bold")
    for name, state in look.workers:
        text.append(f"{name} {state}   ", f"not bold {COLOURS.get(state, '')}".strip())
    for hold in look.holds:
        text.append(f"\non hold: {hold}", "not bold red")
    return text
