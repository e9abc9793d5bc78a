"""Deliver: one job becomes one request on the wire, and what came back becomes one outcome.

Promises: credentials are read at the moment of sending, one module opens sockets, every answer ends in a closed set of
outcomes. Scope ends at the outcome; what happens to the job is decided by `worker.fail`.
"""
