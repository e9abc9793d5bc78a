"""Demo: a picture of the live table from a real run, for those who only read: `python -m worker demo --picture FILE`.

Promise: nothing is drawn that was not seen; of all looks the one with the most to see is kept. The file asks for
nothing from elsewhere, so it shows the same wherever it stands. Scope: choosing a moment and writing it down.
"""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from worker.demo.table import draw
from worker.demo.watch import Look

WIDTH, HEIGHT = 100, 26
UNIQUE = "paceline"
"""Names inside the file: the same in each, so that two pictures differ only in what they show."""
FORMAT = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: {char_height}px; line-height: {line_height}px; }}
.{unique_id}-title {{ font: bold 18px sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


class Picture:
    """Sees every look; keeps the fullest with its heading."""

    def __init__(self) -> None:
        self._best: tuple[tuple[int, int], Look, str] | None = None

    def see(self, look: Look, heading: str) -> None:
        fullness = full(look)
        if self._best is None or fullness > self._best[0]:
            self._best = (fullness, look, heading)

    def write(self, path: Path) -> None:
        """Raises OSError when the file cannot be written; without any look there is nothing to write."""
        if self._best is None:
            return
        _, look, heading = self._best
        console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor")
        console.print(draw(look, heading, WIDTH, HEIGHT))
        drawn = console.export_svg(title="make demo", code_format=FORMAT, unique_id=UNIQUE)
        path.write_text("".join(f"{line.strip()}\n" for line in drawn.splitlines() if line.strip()), encoding="utf-8")


def full(look: Look) -> tuple[int, int]:
    """How much there is to see: what kinds of things first, then how many calls wait."""
    windows = [window for budget in look.budgets for window in budget.windows]
    kinds = (look.holds, any(window.foreign for window in windows), look.alerts, look.states["dead"])
    return sum(map(bool, kinds)), look.states["waiting"]
