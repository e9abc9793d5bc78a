"""Broker: dramatiq's interfaces over the store's decisions: hand-out, leases, waking, acknowledgement.

Promise: a job is only taken for a thread that is free now, its claim is kept alive while it runs, and every answer
reaches the store or is asked for again. Scope: moving jobs; what an answer means is decided in `fail`.
"""
