"""Entry: makes a store that no worker has met yet know the windows, for those who call without being a worker.

Promise: settings of workers that live are in force and stay so. Scope: the introduction.
"""

from __future__ import annotations

import socket
import uuid

from settings import Settings
from worker.broker.registration import registration_of
from worker.store.partition import Partition

SILENT_LEASES = 3


def acquaint(settings: Settings, partition: Partition, name: str) -> bool:
    """Where no worker has brought its settings, brings ours: without windows there is no permit. False when the
    workers that live have other settings.
    """
    key = partition.key
    workers, digest = partition.ask(("zcard", key("workers")), ("hget", key("conf"), "digest"))
    registration = registration_of(settings)
    if workers and digest:
        return bool(digest == registration.digest)
    process = {
        "worker": f"{name}.{uuid.uuid4().hex[:6]}",
        "threads": 0,
        "host": socket.gethostname(),
        "pid": 0,
        "started": "0",
        "silent_us": int(SILENT_LEASES * settings.broker.lease_s * 1e6),
    }
    registration.bring(partition.decide, process)
    return True
