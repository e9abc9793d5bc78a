"""Sandbox: both third-party APIs, simulated on real sockets, and the judge of what arrived there.

It promises the documented behaviour of the hub and of the Stellantis Web API (limits, error shapes, paging,
asynchronous results) plus every fault a test asks for, down to single bytes. Its scope ends at the socket: it knows
nothing of queues, workers or stores, and nothing else in the project imports it except tests, the demo and the
benchmarks.
"""
