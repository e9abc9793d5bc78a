"""Plumbing: how a worker process ends when it cannot do its work: a line per reason, and a documented exit code.

    2 the settings are wrong   3 the store cannot be reached, or will not do

Promise: no traceback, and nothing is left running: dramatiq logs an ordinary exception of a middleware and goes on with
half a process, so this raises SystemExit. dramatiq's master ends with the code of its worker. Scope: leaving.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import NoReturn

EXIT_USAGE = 2
EXIT_UNREACHABLE = 3


def leave(code: int, lines: Iterable[str]) -> NoReturn:
    """Says why on standard error, and ends the process."""
    for line in lines:
        print(f"paceline: {line}", file=sys.stderr, flush=True)
    sys.exit(code)
