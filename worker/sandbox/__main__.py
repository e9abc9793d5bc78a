"""Sandbox, entry: `python -m worker.sandbox` runs it without anything else of the project."""

import sys

from worker.sandbox.server import main

sys.exit(main(sys.argv[1:]))
