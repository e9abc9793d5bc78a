"""Demo: the one live table, drawn from a look.

Promise: it fits 80 columns and 24 lines, and says the same without colour. Scope: drawing; `show.py` keeps it alive.
"""

from __future__ import annotations

from collections import Counter

from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from worker.demo.watch import Budget, Look, Told
from worker.limiter.holds import Hold
from worker.limiter.window import WindowState

BESIDE_BARS = 68
BAR = (8, 40)
BESIDE_ALERTS = 20
ALERTS = (3, 8)
OURS, OTHERS, FREE = "█", "▒", "·"
WORKERS = {"running": ("●", "green"), "frozen": ("■", "bright_blue"), "killed": ("✖", "bold red")}
FIGURES = {"waiting": "", "running": "yellow", "done": "green", "dead": "red"}


def draw(look: Look, heading: str, width: int, height: int = 24) -> RenderableType:
    """Who may still send how much and what waits for it; below that, who works, what stands still, who was told."""
    bar = min(max(width - BESIDE_BARS, BAR[0]), BAR[1])
    most = min(max(height - BESIDE_ALERTS, ALERTS[0]), ALERTS[1])
    notes = Table.grid(padding=(0, 2), expand=True)
    notes.add_column(style="bold", width=7, no_wrap=True)
    notes.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    notes.add_column(no_wrap=True, justify="right", style="dim")
    notes.add_row("workers", _workers(look))
    for hold, age_s in look.holds:
        notes.add_row("held", _hold(hold, age_s, look))
    for number, (title, times) in enumerate(_alerts(look.alerts, most)):
        notes.add_row("" if number else "alerts", title, times)
    return Group(Rule(Text(heading, "bold cyan"), align="left", style="cyan"), _budgets(look, bar), "", notes)


def short(account: str) -> str:
    return account.partition(":")[2]


def _budgets(look: Look, bar: int) -> Table:
    shown = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 1))
    shown.add_column("account", no_wrap=True, width=7)
    shown.add_column("window", no_wrap=True, width=12)
    shown.add_column(Text.assemble((OURS, "cyan"), " us ", (OTHERS, "magenta"), " them"), width=bar, no_wrap=True)
    shown.add_column("used", justify="right", no_wrap=True, width=7)
    shown.add_column("in", justify="right", no_wrap=True, width=4)
    for name in FIGURES:
        shown.add_column(name, justify="right", no_wrap=True, width=len(name))
    account = ""
    for budget in filter(_in_use, look.budgets):
        for number, (window, drawn) in enumerate(_rows(budget, bar)):
            name = "" if budget.account == account else short(budget.account)
            shown.add_row(Text(name, "bold"), window, *drawn, *(_figures(budget.states) if not number else ()))
            account = budget.account
    shown.add_row("all", *_sums(look.states), "", "", *_figures(look.states, "0"), style="bold")
    return shown


def _in_use(budget: Budget) -> bool:
    return bool(budget.states) or any(window.used or window.foreign for window in budget.windows)


def _rows(budget: Budget, bar: int) -> list[tuple[Text, tuple[Text, Text, Text]]]:
    if not budget.windows:
        return [(Text("no limit", "dim"), (Text(), Text(), Text()))]
    return [(Text(window.name), _window(window, bar)) for window in budget.windows]


def _window(window: WindowState, bar: int) -> tuple[Text, Text, Text]:
    used = window.used + window.foreign
    style = "bold" if used >= window.limit else "" if used else "dim"
    return _bar(window, bar), Text(f"{used}/{window.limit}", style), Text(f"{window.length_s:g} s", "dim")


def _bar(window: WindowState, width: int) -> Text:
    """What is ours, what the headers say others use, what is free; a window that a refusal closed says so."""
    ours = round(width * min(1.0, window.used / window.limit))
    others = min(width - ours, round(width * window.foreign / window.limit))
    closed = "closed"[: width - ours - others] if window.shut_s > 0 else ""
    free = FREE * (width - ours - others - len(closed))
    return Text.assemble((OURS * ours, "cyan"), (OTHERS * others, "magenta"), (closed, "yellow"), (free, "dim"))


def _figures(states: Counter[str], none: str = "") -> list[Text]:
    return [Text(str(states[name] or none), style) for name, style in FIGURES.items()]


def _sums(states: Counter[str]) -> tuple[str, Text]:
    """All there are, and those that were cancelled or expired."""
    unsent = states["cancelled"] + states["expired"]
    return f"{states.total()} calls", Text(f"{unsent} not sent" if unsent else "", "not bold")


def _workers(look: Look) -> Text:
    text = Text()
    for name, state in look.workers:
        mark, colour = WORKERS.get(state, ("○", ""))
        text.append(f"{mark} {name} {state}   ", colour)
    return text


def _hold(hold: Hold, age_s: float, look: Look) -> Text:
    place = hold.scope.partition(":")[2]
    waiting = sum(budget.states["waiting"] for budget in look.budgets if budget.account == place)
    said = f"{short(place)} for {age_s:.0f} s, cause: {hold.cause}" + (f"; {waiting} calls wait" if waiting else "")
    return Text(said + (", one tries now" if hold.probing else ""), "bold red")


def _alerts(alerts: list[Told], most: int) -> list[tuple[Text, str]]:
    """Open ones first; those that do not fit are counted."""
    if not alerts:
        return [(Text("none", "dim"), "")]
    found = sorted(alerts, key=lambda alert: not alert.open)
    lines = [_alert(alert) for alert in found[: most - 1 if len(found) > most else most]]
    if rest := found[len(lines) :]:
        causes = sum(alert.count for alert in rest)
        lines.append((Text(f"… and {len(rest)} more", "dim"), f"{len(rest)} for {causes} causes"))
    return lines


def _alert(alert: Told) -> tuple[Text, str]:
    times = f"1 for {alert.count} cause{'s' if alert.count > 1 else ''}"
    title = alert.title
    for long in ("stellantis.b2b.", "stellantis:", "hub.", "hub:"):
        title = title.replace(long, "")
    return (Text.assemble(("● ", "red"), title) if alert.open else Text(f"✓ {title}, resolved", "dim")), times
