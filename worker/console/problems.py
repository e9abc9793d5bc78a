"""Console: dead letters by their cause: what goes wrong, since when, how often, and what to do.

Promise: the address of a problem is the one that alerts link to, and leads to Sentry's; its numbers are those of its
letters. Scope: the list of problems, one problem, its file for support, and saying how it stands.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from worker.accept.operation import operations
from worker.console.acting import person_of
from worker.console.bundles import bundle_response
from worker.console.finding import Finding
from worker.console.letters import asked_for, choices
from worker.console.parts import Parts
from worker.console.query import Query
from worker.console.rendering import parts_of, render
from worker.console.views import views_of
from worker.errors import NotFound
from worker.fail.bundle import cases_of
from worker.fail.dead_letter import Filter
from worker.fail.explaining import row_of
from worker.fail.problem import Problem
from worker.observe.standing import StandingAlert
from worker.store.partition import Partition

ABOUT = "problem:"
MOST = 100
SHOWN = 20
BUCKETS, FEW = 48, 24
SHORTEST_US = 60_000_000
DAY_US = 86_400_000_000
STATES = {"open": ("open", "acknowledged"), "ignored": ("ignored",), "resolved": ("resolved", "set aside"), "all": ()}
"""What a tab of the list shows."""


@dataclass(frozen=True, slots=True)
class Deaths:
    """How many died in each of `BUCKETS` equal times; the last ends now."""

    counts: Sequence[int]
    bucket_s: float

    @property
    def most(self) -> int:
        return max(self.counts, default=0)

    @property
    def whole_us(self) -> int:
        """How long ago the first of these times began."""
        return round(self.bucket_s * len(self.counts) * 1e6)

    @property
    def bars(self) -> list[tuple[float, float, int]]:
        """Place, height and count of each bar, in a hundred parts; one death can always be seen."""
        step = 100 / len(self.counts)
        return [
            (round(step * at, 3), max(6.0, round(100 * count / self.most, 2)) if count else 0.0, count)
            for at, count in enumerate(self.counts)
        ]


def problems(request: Request) -> Response:
    """The list, last seen first."""
    parts = parts_of(request)
    now_us = parts.partition.now_us()
    asked, wanted, sorry = asked_for(request, now_us)
    tab = request.query_params.get("state", "open")
    if tab not in STATES:
        tab, wanted, sorry = "open", None, f"state: expected one of {', '.join(STATES)}, got {tab[:40]!r}."
    found = [] if wanted is None else list(islice(_in_tab(parts, wanted, tab), MOST + 1))
    return render(
        request,
        "problems.html",
        400 if wanted is None else 200,
        sorry=sorry,
        now_us=now_us,
        problems=found[:MOST],
        more=len(found) > MOST,
        asked=asked,
        tab=tab,
        tabs=list(STATES),
        trends=trends_of(parts.partition, found[:MOST], now_us),
        alerts=alerts_of(parts),
        query_words=asked.words,
        choices=choices(parts.partition),
        views=views_of(parts, "/problems"),
        live="offer",
        on="problems",
    )


def _in_tab(parts: Parts, wanted: Filter, tab: str) -> Iterator[Problem]:
    everything = parts.problems.find(
        operation=wanted.operation,
        error_class=wanted.error_class,
        since_us=wanted.since_us,
        resolved=tab != "open",
    )
    return (one for one in everything if tab == "all" or one.state in STATES[tab])


def problem(request: Request) -> Response:
    """One cause."""
    parts = parts_of(request)
    found = parts.problems.read(request.path_params["fingerprint"])
    now_us = parts.partition.now_us()
    query = Query(problem=found.fingerprint)
    page = Finding(parts.partition).page(query.wanted(now_us), size=SHOWN)
    return render(
        request,
        "problem.html",
        now_us=now_us,
        problem=found,
        row=row_of(found.api, found.error_class, found.code),
        operation=operations.get(found.operation),
        query=query,
        page=page,
        alert=alerts_of(parts).get(found.fingerprint),
        did=request.query_params.get("did", ""),
        notes=parts.notes.of(found.fingerprint),
        in_sentry=sentry_page(parts, found),
        deaths=deaths_of(parts.partition, parts.partition.key("dead_by", "problem", found.fingerprint), found, now_us),
    )


def alerts_of(parts: Parts) -> dict[str, StandingAlert]:
    """The alerts that stand about problems, by fingerprint."""
    standing = parts.alerts.find()
    return {one.key.removeprefix(ABOUT): one for one in standing if one.key.startswith(ABOUT)}


def mark(request: Request) -> Response:
    """Somebody says how a problem stands: known, mended, not to be told any more, or open after all."""
    parts, found = parts_of(request), parts_of(request).problems.read(request.path_params["fingerprint"])
    word = request.state.form.get("mark", "")
    parts.problems.say(found.fingerprint, word, *person_of(request))
    return RedirectResponse(f"/problems/{found.fingerprint}?did={word}", 303)


def sentry_page(parts: Parts, problem: Problem) -> str:
    """Where Sentry shows the same problem; empty unless settings say where Sentry is."""
    pages = parts.settings.observe.sentry_pages
    return f"{pages}/?query={quote(f'problem:{problem.fingerprint}')}" if pages else ""


def trends_of(partition: Partition, problems: Sequence[Problem], now_us: int) -> dict[str, Deaths]:
    """When the letters of each problem died within a day, by fingerprint; all on one scale of time."""
    width = DAY_US // FEW
    edges = [now_us - DAY_US + width * at for at in range(FEW)] + [now_us + 1]
    questions = [
        ("zcount", partition.key("dead_by", "problem", one.fingerprint), low, f"({high}")
        for one in problems
        for low, high in pairwise(edges)
    ]
    counts = [int(count) for count in partition.ask(*questions)]
    return {
        one.fingerprint: Deaths(counts[at * FEW : (at + 1) * FEW], width / 1e6) for at, one in enumerate(problems)
    }


def deaths_of(partition: Partition, key: str, problem: Problem, now_us: int) -> Deaths:
    """When the letters of an index died, from the problem's first to now."""
    first = min(problem.first_us or now_us, now_us - BUCKETS * SHORTEST_US)
    width = (now_us - first) / BUCKETS
    edges = [int(first + width * at) for at in range(BUCKETS)] + [now_us + 1]
    counts = partition.ask(*(("zcount", key, low, f"({high}") for low, high in pairwise(edges)))
    return Deaths([int(count) for count in counts], width / 1e6)


def problem_bundle(request: Request) -> Response:
    """A file for the vendor's support, of a few of its calls."""
    parts = parts_of(request)
    found = parts.problems.read(request.path_params["fingerprint"])
    cases = cases_of(parts.jobs, parts.letters, parts.notes, found)
    if not cases:
        raise NotFound("this problem has no letters any more: they were sent again, set aside or are too old.")
    notes = parts.notes.of(found.fingerprint)
    return bundle_response(found.fingerprint, request.path_params["form"], cases, found, notes)
