"""Plumbing: the demo. The whole system at work against both simulated APIs, and a check of what it claims.

Promise: real processes from the Procfile's own lines, a real store, real sockets; nothing is left behind. Its claims
are checked against what the other side saw, and its exit code is their verdict. Scope: a show that proves itself;
everything it uses is what production uses.
"""

from worker.demo.command import main

__all__ = ["main"]
