"""Demo: `python -m worker demo`: plays, checks, prints, and says by its exit code whether the claims were kept.

Promise: 0 when every claim was kept, else 1. Without a terminal, or with DEMO_EXIT=1, it ends by itself; on a terminal
it stays up until Ctrl-C. Scope: the order of things.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from rich.console import Console

from settings.surroundings import surroundings
from worker.demo import claims, ending, record
from worker.demo.stage import Stage
from worker.demo.story import Story
from worker.demo.supervisor import stop_all
from worker.demo.table import Show
from worker.demo.watch import Watch
from worker.errors import PacelineError

WIDTH_WITHOUT_TERMINAL = 132


def main(argv: list[str] | None = None) -> int:
    """Runs the demo, or checks the record of an earlier run."""
    parser = argparse.ArgumentParser(prog="python -m worker demo", description="The whole system at work, and a check.")
    parser.add_argument("--check", metavar="FOLDER", type=Path, help="check the claims of an earlier run again")
    arguments = parser.parse_args(argv)
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH_WITHOUT_TERMINAL)
    if arguments.check:
        return check_again(arguments.check, console)
    try:
        return perform(console)
    except KeyboardInterrupt:
        console.print("Interrupted; everything has been stopped.")
    except (PacelineError, RuntimeError) as error:
        console.print(f"The demo broke off: {error}", style="red", markup=False, soft_wrap=True)
    return 1


def check_again(folder: Path, console: Console) -> int:
    """The claims of an earlier run, from its record."""
    try:
        found = claims.check(record.read(folder))
    except (OSError, ValueError, KeyError, TypeError) as error:
        console.print(f"{folder} holds no record that can be read: {type(error).__name__}", markup=False)
        return 1
    ending.print_claims(found, console)
    return 0 if all(claim.kept for claim in found) else 1


def perform(console: Console) -> int:
    """One run. Leaving the stage ends every process."""
    stays = console.is_terminal and surroundings().get("DEMO_EXIT", "") in ("", "0")
    begun = time.monotonic()
    console.print("Starting a store, a sandbox with both APIs, and two workers by the Procfile's line…", highlight=False)
    with Stage() as stage:
        console.print(f"{stage.store.version}; everything of this run is in {ending.shown_path(stage.folder)}", highlight=False)
        watch = Watch(stage)
        secrets = set(stage.credentials.secrets())
        with Show(watch, console) as show:
            story = Story(stage, show.say, show.title)
            story.play()
        found = judged(stage, story, secrets, console, keep_workers=stays)
        console.print(f"It took {time.monotonic() - begun:.0f} s.", highlight=False)
        ending.print_way_around(stage.folder, stays, console)
        if stays:
            stay(watch, console)
    return 0 if all(claim.kept for claim in found) else 1


def judged(stage: Stage, story: Story, secrets: set[str], console: Console, keep_workers: bool) -> list[claims.Claim]:
    """The record, saved, and the verdict over it as it can be read from there."""
    if not keep_workers:
        stop_all(stage.workers)
    everything = record.gather(stage, story.noted, secrets | set(stage.credentials.secrets()))
    record.save(stage.folder, everything)
    everything = json.loads(json.dumps(everything))
    found = claims.check(everything)
    ending.print_windows(everything, console)
    ending.print_claims(found, console)
    return found


def stay(watch: Watch, console: Console) -> None:
    """The table, until Ctrl-C."""
    console.print("\nStaying up; Ctrl-C ends it.", style="bold")
    try:
        with Show(watch, console):
            while True:
                time.sleep(3600)
    except KeyboardInterrupt:
        console.print("Stopping…")
