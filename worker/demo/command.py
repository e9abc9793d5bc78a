"""Demo: `python -m worker demo`: plays, checks, prints, and says by its exit code whether the claims were kept.

Promise: 0 when every claim was kept, 1 when not, 130 when it was interrupted before that was known. Without a
terminal, or with DEMO_EXIT=1, it ends by itself; on a terminal it stays up until Ctrl-C. Scope: the order of things.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import redis
from rich.console import Console

from settings.surroundings import surroundings
from worker.demo import claims, ending, record
from worker.demo.picture import Picture
from worker.demo.show import Show
from worker.demo.stage import Stage
from worker.demo.story import Story
from worker.demo.supervisor import stop_all
from worker.demo.watch import Watch
from worker.errors import PacelineError

WIDTH_WITHOUT_TERMINAL = 120
INTERRUPTED = 130
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C too: a shell's background job is started with it ignored."""
HASTE_S = 2.0
"""What a worker is given to end after Ctrl-C: nobody needs its calls any more."""


def main(argv: list[str] | None = None) -> int:
    """Runs the demo, or checks the record of an earlier run."""
    parser = argparse.ArgumentParser(prog="python -m worker demo", description="The whole system at work, and a check.")
    parser.add_argument("--check", metavar="FOLDER", type=Path, help="check the claims of an earlier run again")
    parser.add_argument(
        "--picture", metavar="FILE", type=Path, help="also draw the live table's fullest moment there, as SVG"
    )
    arguments = parser.parse_args(argv)
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH_WITHOUT_TERMINAL)
    if arguments.check:
        return check_again(arguments.check, console)
    try:
        with signals_as_interrupts():
            return perform(console, arguments.picture)
    except KeyboardInterrupt:
        console.print("Interrupted; every process has been ended.", highlight=False)
        return INTERRUPTED
    except (PacelineError, RuntimeError, OSError, redis.RedisError) as error:
        console.print(f"The demo broke off: {error}", style="red", markup=False, soft_wrap=True)
        return 1


@contextlib.contextmanager
def signals_as_interrupts() -> Iterator[None]:
    """A terminal that is closed, or a polite request to end, is like Ctrl-C."""
    before = {number: signal.signal(number, signal.default_int_handler) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def check_again(folder: Path, console: Console) -> int:
    """The claims of an earlier run, from its record."""
    try:
        found = claims.check(record.read(folder))
    except (OSError, ValueError, KeyError, TypeError) as error:
        console.print(f"{folder} holds no record that can be read: {type(error).__name__}", markup=False)
        return 1
    ending.print_claims(found, console)
    return 0 if all(claim.kept for claim in found) else 1


def perform(console: Console, picture: Path | None = None) -> int:
    """One run. Leaving the stage ends every process."""
    stays = console.is_terminal and surroundings().get("DEMO_EXIT", "") in ("", "0")
    begun = time.monotonic()
    console.print(
        "Starting a store, a sandbox with both APIs, and the Procfile's web and worker lines…", highlight=False
    )
    with Stage() as stage:
        try:
            console.print(f"{stage.store.version}; this run is kept in {ending.shown(stage.folder)}", highlight=False)
            found = play(stage, console, stays, begun, picture)
            if stays:
                stay(Watch(stage), console)
        except KeyboardInterrupt:
            console.print("Stopping…")
            stage.grace_s = HASTE_S
            raise
    return 0 if all(claim.kept for claim in found) else 1


def play(
    stage: Stage, console: Console, stays: bool, begun: float, drawn: Path | None = None
) -> list[claims.Claim]:
    """The story, its record, and the verdict over that record as it can be read again later."""
    secrets = set(stage.credentials.secrets())
    picture = None if drawn is None else Picture()
    with Show(Watch(stage), console, picture=picture) as show:
        story = Story(stage, show.say, show.title)
        story.play()
    if picture is not None and drawn is not None:
        picture.write(drawn)
    if not stays:
        stop_all(stage.workers)
    everything = record.gather(stage, story.noted, secrets | set(stage.credentials.secrets()))
    record.save(stage.folder, everything)
    everything = record.read(stage.folder)
    found = claims.check(everything)
    ending.print_windows(everything, console)
    ending.print_alerts(everything, console)
    ending.print_claims(found, console, time.monotonic() - begun)
    ending.print_way_around(stage.folder, stays, stage.settings.public_url, console)
    return found


def stay(watch: Watch, console: Console) -> None:
    """The table, until Ctrl-C."""
    console.print("\nStaying up; Ctrl-C ends it.", style="bold")
    try:
        with Show(watch, console, "Paceline: both APIs and both workers are up; Ctrl-C ends them"):
            while True:
                time.sleep(3600)
    except KeyboardInterrupt:
        console.print("Stopping…")
