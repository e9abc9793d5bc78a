"""Bench: what is claimed in numbers, measured on this machine beside what one would pick instead.

It promises the same machine, store, simulated API and judge for everybody: the remote side's own log counts. Its scope
ends at figures; what must hold on any machine is in `tests/`.
"""
