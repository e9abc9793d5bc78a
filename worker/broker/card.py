"""Broker: a job in hand, with the claim and the permit that came with it.

Promise: whatever a stage needs to know about the job it works on is here and is not asked of the store again.
Scope: one hand-out of one job.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from dramatiq import Message, MessageProxy

from worker.fail.fate import Fate

NOTHING_KNOWN = (b"", b"", b"|", b"1", b"0", b"0", b"", b"", b"", b"", b"")


@dataclass(slots=True)
class Card:
    """One hand-out. Times ending in `_us` are the store's clock (µs), `send_by_s` is this machine's boot-time clock."""

    lease: str
    job_id: str
    encoded: bytes
    account: str
    operation: str
    group: str
    priority: int
    attempts: int
    crashes: int
    deadline_us: int
    taken_us: int
    created_us: int
    chain: str
    probe: str | None
    send_by_s: float
    taken_s: float
    now_us: int
    began: bool = False
    sent: bool = False
    door: str | None = field(default=None, repr=False)  # the secret of its result's address
    lost: bool = False

    @property
    def budget(self) -> str:
        return self.group.rpartition("|")[2]

    def seconds_left(self, monotonic_s: float) -> float:
        """Seconds until the job's deadline, as well as this process can tell."""
        return (self.deadline_us - self.now_us) / 1e6 - (monotonic_s - self.taken_s)


def read_card(reply: list[bytes], now_us: int, send_by_s: float, taken_s: float) -> Card:
    """A card as `take.lua` deals it; a job whose message is gone has the first three of its facts. A job whose numbers
    are none comes without its message: it is buried, and the others of its deal are not held up.
    """
    lease, job_id, encoded, account, operation, group, *rest = reply if len(reply) > 3 else [*reply, *NOTHING_KNOWN]
    *told, chain, probe = rest
    try:
        numbers = [int(number or 0) for number in told]
    except ValueError:
        encoded, numbers = b"", [1, 0, 0, 0, 0, 0]
    priority, attempts, crashes, deadline_us, taken_us, created_us = numbers
    return Card(
        lease=lease.decode(),
        job_id=job_id.decode(),
        encoded=encoded,
        account=account.decode(),
        operation=operation.decode(),
        group=group.decode(),
        priority=priority,
        attempts=attempts,
        crashes=crashes,
        deadline_us=deadline_us,
        taken_us=taken_us,
        created_us=created_us,
        chain=(chain or job_id).decode(),
        probe=probe.decode() or None,
        send_by_s=send_by_s,
        taken_s=taken_s,
        now_us=now_us,
    )


class JobMessage(MessageProxy):
    """A dramatiq message with its card; the fate middleware leaves its decision in `fate`."""

    def __init__(self, message: Message[Any], card: Card) -> None:
        super().__init__(message)
        self.card = card
        self.fate: Fate | None = None
        self.attempt: Any = None

    def __str__(self) -> str:
        """What dramatiq logs: its own form would show the arguments, and those may be personal."""
        return f"{self.card.operation}({self.card.job_id})"

    __repr__ = __str__
