"""Console: a glance at the store: enough to know that a page would look different now.

Promise: a glance is one round trip of bounded questions, whatever is kept; equal marks mean that nothing of that kind
has happened between. Scope: asking; who is told says `live.py`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from worker.store.partition import Partition


@dataclass(frozen=True, slots=True)
class Glance:
    """`marks` name what may have changed, `counts` stand beside the pages' names."""

    marks: dict[str, str]
    counts: dict[str, int]

    def as_dict(self) -> dict[str, Any]:
        return {"marks": self.marks, "counts": self.counts}


def glance(partition: Partition) -> Glance:
    """How it stands at this moment."""
    key = partition.key
    dead, marked, expired, held, counts, flying, crew, problem, alert, audit, quiet, asking = partition.ask(
        ("zcard", key("dead")),
        ("zcard", key("discarded")),
        ("zcard", key("expired")),
        ("hlen", key("holds")),
        ("hgetall", key("counts")),
        ("zcard", key("leases")),
        ("zcard", key("workers")),
        ("zrevrange", key("problems"), 0, 0, True),
        ("zrevrange", key("alerts"), 0, 0, True),
        ("lindex", key("audit"), 0),
        ("hget", key("meta"), "suspect"),
        ("scard", key("alerts_open")),
    )
    letters = (dead, marked, expired, counts.get("died"))
    marks = {
        "flow": (sorted(counts.items()), flying, crew, held, quiet),
        "letters": letters,
        "problems": (letters, problem, alert, audit),
        "alerts": (alert, audit, asking),
        "audit": (audit,),
    }
    return Glance(
        marks={name: _digest(value) for name, value in marks.items()},
        counts={"/alerts": int(asking), "/dead-letters": int(dead) - int(marked), "/lanes": int(held)},
    )


def _digest(value: Any) -> str:
    return hashlib.sha1(repr(value).encode(), usedforsecurity=False).hexdigest()[:10]
