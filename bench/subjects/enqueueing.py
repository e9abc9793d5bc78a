"""Bench, subjects: asks a subject for jobs, in its own environment.

`python -m bench.subjects.enqueueing NAME COUNT`
"""

import sys
from importlib import import_module

if __name__ == "__main__":
    import_module(f"bench.subjects.{sys.argv[1]}").enqueue(int(sys.argv[2]))
