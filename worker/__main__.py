"""Entry: `python -m worker …`, for people.

Promise: without the extra `cli` it says in one line what to install. Scope: starting `cli.py`; worker processes are
started by dramatiq (see the Procfile).
"""

import sys


def main() -> int:
    """Runs the command line; answers with its exit code."""
    try:
        import click  # noqa: F401
        import rich  # noqa: F401
    except ModuleNotFoundError as error:
        print(
            f"paceline: the command line needs the package {error.name!r}, which {sys.executable} has not got: run "
            "`make setup` and use .venv/bin/python, or install the extra 'cli' (click and rich).",
            file=sys.stderr,
        )
        return 2
    from worker.cli import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
