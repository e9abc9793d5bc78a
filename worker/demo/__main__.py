"""Plumbing: `python -m worker.demo`. Scope: the exit code."""

import sys

from worker.demo import main

sys.exit(main(sys.argv[1:]))
