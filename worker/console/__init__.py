"""Console: the operators' web pages: what waits, what died and why, and sending it again.

Promise: server-rendered, so reading and redriving work without JavaScript; everything shown went through the readers
that the command line uses, so it is masked alike; nothing is loaded from elsewhere. Scope: pages. What they show is
known by `accept`, `limiter` and `fail`, which also act.
"""
