"""Demo: what is printed at the end: the windows, the alerts, the claims, and how to look around.

Promise: it names only files and commands that exist, and commands that work when they are copied. Scope: words.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from worker.demo.claims import Claim, Record, arrivals_of
from worker.demo.scenery import FLEET
from worker.demo.supervisor import ROOT
from worker.sandbox.judge import judge

LOOKS = ("dlq problems", "lanes list", "workers")
LATER = ("dlq problems", "dlq list --limit 5", "lanes list")
MORE = (
    "enqueue stellantis.b2b.get_vehicle_status --account {account}"
    """ --params '{{"fid": "FLEET-1", "vid": "VEH-{{n}}"}}' --count 100"""
)


def print_windows(record: Record, console: Console) -> None:
    """What the other side counted, window by window."""
    shown = _table("What the other side counted, in exact sliding windows", console)
    for name in ("account", "window", "limit"):
        shown.add_column(name, no_wrap=True)
    for name in ("our peak", "our calls", "refused", "foreign calls"):
        shown.add_column(name, justify="right")
    for row in judge(arrivals_of(record))["windows"]:
        shown.add_row(*_figures(row))
    console.print(shown)


def _figures(row: dict[str, Any]) -> list[str]:
    limit = f"{row['limit']} in {row['window_s']:g} s"
    figures = (row["max_ours"], row["ours"], row["refused_ours"], row["arrivals"] - row["ours"])
    return [row["account"], row["window"], limit, *map(str, figures)]


def print_alerts(record: Record, console: Console) -> None:
    """What a person was told, and how often there was cause to."""
    shown = _table("What a person was told", console)
    shown.add_column("alert")
    for name in ("causes", "told"):
        shown.add_column(name, justify="right")
    shown.add_column("now")
    for key, alert in sorted(record["alerts"].items(), key=lambda item: int(item[1]["opened_us"])):
        shown.add_row(alert["title"], str(alert["count"]), str(record["told"].count(key)), alert["state"])
    console.print(shown)


def _table(title: str, console: Console) -> Table:
    console.print(f"\n{title}", style="bold", highlight=False)
    return Table(box=None, header_style="dim", pad_edge=False, padding=(0, 1))


def print_claims(claims: list[Claim], console: Console, took_s: float | None = None) -> None:
    """One line each; the last says it all."""
    console.print("\nClaims, checked against the other side's log", style="bold", highlight=False)
    rows = Table.grid(padding=(0, 1))
    for claim in claims:
        mark, style = ("✓", "green") if claim.kept else ("✗", "bold red")
        text = Text.assemble(f"{claim.said}: ", (claim.figure, "dim" if claim.kept else "red"))
        if console.is_terminal:
            rows.add_row(Text(mark, style), text)
        else:
            console.print(f"{mark} {text}", highlight=False, markup=False, soft_wrap=True)
    if console.is_terminal:
        console.print(rows)
    kept = sum(claim.kept for claim in claims)
    style = "bold green" if kept == len(claims) else "bold red"
    took = "" if took_s is None else f" It took {took_s:.0f} s."
    console.print(f"\n{kept} of {len(claims)} claims kept.{took}", style=style, highlight=False)


def print_way_around(folder: Path, stays: bool, web: str | None, console: Console) -> None:
    """Where everything is, and the commands that show it."""
    place, python = shlex.quote(str(shown(folder))), shlex.quote(str(shown(Path(sys.executable))))
    commands = [*LOOKS, MORE.format(account=FLEET)] if stays else LATER
    lines = [
        "",
        *([f"In a browser on this machine: {web}/"] if stays and web else []),
        "Look around in another terminal:" if stays else "Look around (a command starts the store of this run again):",
        *([f"  cd {shlex.quote(str(ROOT))}"] if stays or Path.cwd() != ROOT else []),
        f"  set -a; . {place}/environment; set +a",
        *(f"  {python} -m worker {command}" for command in commands),
        "Check the claims again, against the record or one you have changed:",
        f"  {python} -m worker demo --check {place}",
        f"The record, the sandbox's log with it, is {place}/record.json; workers logged to {place}/worker-*.",
    ]
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def shown(path: Path) -> Path:
    """Relative to the checkout: the folder its commands are given in."""
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
