"""Accept, over HTTP: `/metrics`, in the text format of Prometheus, read from the store at the moment of asking.

Promise: every process answers the same; labels are accounts, operations, priorities, windows and causes of holds, all
from settings and catalogue, so nobody outside can make series. Scope: numbers; asking costs what looking at the lanes
costs, never more for more jobs.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.responses import Response

from worker import VERSION
from worker.accept.intake.parts import Parts
from worker.limiter.lanes import Lane

LANE = ("account", "operation")
ENDS = ("accepted", "done", "dead", "cancelled", "expired")
PREFIX = "paceline_"


def metrics(parts: Parts) -> Response:
    """All of them, now."""
    registry = CollectorRegistry()
    registry.register(Snapshot(parts))
    return Response(generate_latest(registry), 200, {"Cache-Control": "no-store"}, CONTENT_TYPE_LATEST)


class Snapshot(Collector):
    """One look at the store."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def describe(self) -> Iterator[Metric]:
        """Nothing: the registry need not look twice."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        lanes = self._parts.lanes.all()
        yield from _lines(lanes)
        yield from _letters(self._parts, lanes)
        yield from _windows(lanes)
        yield from _holds(lanes)
        yield from _totals(self._parts)


def _gauge(name: str, words: str, labels: tuple[str, ...] = LANE) -> GaugeMetricFamily:
    return GaugeMetricFamily(PREFIX + name, words, labels=labels)


def _lines(lanes: list[Lane]) -> Iterator[Metric]:
    """Who waits, and since when."""
    waiting = _gauge("jobs_waiting", "Jobs in line.", (*LANE, "priority"))
    later = _gauge("jobs_parked", "Jobs parked until a time.", (*LANE, "priority"))
    flying = _gauge("jobs_in_flight", "Jobs being sent.")
    oldest = _gauge("oldest_waiting_seconds", "Age of the oldest job that waits, 0 where none does.")
    for lane in lanes:
        names = [lane.account, lane.operation]
        for priority, count in lane.waiting.items():
            waiting.add_metric([*names, priority], count)
        for priority, count in lane.due.items():
            later.add_metric([*names, priority], count)
        flying.add_metric(names, lane.in_flight)
        oldest.add_metric(names, lane.oldest_s or 0.0)
    yield from (waiting, later, flying, oldest)


def _letters(parts: Parts, lanes: list[Lane]) -> Iterator[Metric]:
    """Dead letters of each lane, discarded ones among them."""
    dead = _gauge("dead_letters", "Dead letters that are kept, discarded ones included.")
    key = parts.partition.key
    counts = parts.partition.ask(
        *(
            ("zintercard", 2, [key("dead_by", "account", one.account), key("dead_by", "operation", one.operation)])
            for one in lanes
        )
    )
    for lane, count in zip(lanes, counts, strict=True):
        dead.add_metric([lane.account, lane.operation], int(count))
    yield dead


def _windows(lanes: list[Lane]) -> Iterator[Metric]:
    """The quota of each account: every window once, whichever budgets it is in."""
    of = ("account", "window")
    families = {
        "limit": _gauge("window_limit", "Calls allowed in the window, as far as is known.", of),
        "used": _gauge("window_used", "Our calls in the window, in flight or settled.", of),
        "foreign": _gauge("window_foreign", "Calls of others in the window, as the API's headers tell.", of),
        "length_s": _gauge("window_seconds", "Length of the window.", of),
    }
    seen = set()
    for lane in lanes:
        for window in lane.state.windows:
            if (lane.account, window.name) not in seen:
                seen.add((lane.account, window.name))
                for field, family in families.items():
                    family.add_metric([lane.account, window.name], getattr(window, field))
    yield from families.values()
    permit = _gauge("next_permit_seconds", "Until the next permit of the lane can be had; absent while nobody knows.")
    for lane in lanes:
        if lane.state.next_s is not None:
            permit.add_metric([lane.account, lane.operation], lane.state.next_s)
    yield permit


def _holds(lanes: list[Lane]) -> Iterator[Metric]:
    held = _gauge("lane_held", "1 while something holds the lane back.", (*LANE, "cause"))
    for lane in lanes:
        if lane.hold is not None:
            held.add_metric([lane.account, lane.operation, lane.hold.cause], 1)
    yield held


def _totals(parts: Parts) -> Iterator[Metric]:
    """The whole partition."""
    key = parts.partition.key
    counts, workers, alerts = parts.partition.ask(
        ("hgetall", key("counts")), ("zcard", key("workers")), ("zcard", key("outbox"))
    )
    jobs = CounterMetricFamily(PREFIX + "jobs", "Jobs by how they came and ended.", labels=("event",))
    for name in ENDS:
        jobs.add_metric([name], int(counts.get(name) or 0))
    yield jobs
    yield GaugeMetricFamily(PREFIX + "workers", "Live worker processes.", value=int(workers))
    yield GaugeMetricFamily(PREFIX + "alerts_to_tell", "Alerts not handed over yet.", value=int(alerts))
    info = _gauge("info", "The version of this process.", ("version",))
    info.add_metric([VERSION], 1)
    yield info
