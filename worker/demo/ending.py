"""Demo: what is printed at the end: the windows, the claims, and how to look around.

Promise: it names only files and commands that exist. Scope: words.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from worker.demo.claims import Claim, Record, arrivals_of
from worker.sandbox.judge import judge

COMMANDS = ("dlq problems", "dlq list", "lanes list", "jobs list")


def print_windows(record: Record, console: Console) -> None:
    """What the other side counted, window by window."""
    shown = Table(title="What the other side counted, in exact sliding windows", title_justify="left", box=None, header_style="bold")
    shown.add_column("account", no_wrap=True)
    shown.add_column("window", no_wrap=True)
    for name in ("limit", "most of ours", "most of all", "ours refused", "others refused"):
        shown.add_column(name, justify="right")
    for row in judge(arrivals_of(record))["windows"]:
        shown.add_row(*_figures(row))
    console.print()
    console.print(shown)


def _figures(row: dict[str, Any]) -> list[str]:
    limit = f"{row['limit']} in {row['window_s']:g} s"
    figures = (row["max_ours"], row["max"], row["refused_ours"], row["refused_foreign"])
    return [row["account"], row["window"], limit, *map(str, figures)]


def print_claims(claims: list[Claim], console: Console) -> None:
    """One line each; the last says it all."""
    console.print()
    for claim in claims:
        mark, style = ("✓", "green") if claim.kept else ("✗", "bold red")
        console.print(f"[{style}]{mark}[/] {claim.said}: ", end="", highlight=False, soft_wrap=True)
        console.print(claim.figure, style="dim" if claim.kept else "red", highlight=False, markup=False, soft_wrap=True)
    kept = sum(claim.kept for claim in claims)
    style = "bold green" if kept == len(claims) else "bold red"
    console.print(f"\n{kept} of {len(claims)} claims kept.", style=style, highlight=False)


def print_way_around(folder: Path, stays: bool, console: Console) -> None:
    """Where everything is, and the commands that show it."""
    place = shown_path(folder)
    lines = [
        "",
        "To look around, in another terminal:" if stays else "To look around (the first command starts its store again):",
        f"  set -a; . {place}/environment; set +a",
        *(f"  python -m worker {command}" for command in COMMANDS),
        "To check the claims again:",
        f"  python -m worker demo --check {place}",
        f"The record (the sandbox's log with it) is {place}/record.json; what the workers logged, {place}/worker-*.",
    ]
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def shown_path(folder: Path) -> Path:
    """Relative, where that is shorter to type."""
    try:
        return folder.relative_to(Path.cwd())
    except ValueError:
        return folder
