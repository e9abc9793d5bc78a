"""Commands: is everything well? `doctor` looks at what Paceline needs, `workers` at who works.

Promise: neither needs a running worker. Scope: printing; `worker.doctor` looks.
"""

from __future__ import annotations

from collections import Counter

import click

from settings import SettingsError
from worker.commands.output import Exit, ago, emit, line, many, say, table, times
from worker.commands.session import Session, with_session
from worker.commands.values import json_option
from worker.doctor import Doctor, Finding
from worker.errors import StoreUnavailable
from worker.store.connection import connect
from worker.store.keys import Keys
from worker.store.partition import Partition


@click.command("doctor", short_help="Look at settings, store, clock and credentials.")
@click.option("--offline", is_flag=True, help="Ask no API; look at settings and store alone.")
@json_option
@with_session
def doctor_command(session: Session, offline: bool, as_json: bool) -> int:
    """Look at settings, store, clock, certificates, and whether each account's credential is accepted.

    Each account makes one cheap call, which counts in its windows. Exit code 0: well, or warnings only. 1: something
    fails. 2: the settings are wrong. 3: the store cannot be used, or an API cannot be reached.
    """

    def tell(finding: Finding) -> Finding:
        if as_json:
            emit(finding.as_dict())
        else:
            line(f"{finding.level:4}  {finding.about:18}  {finding.said}")
        return finding

    try:
        settings = session.settings
    except SettingsError as error:
        for problem in error.problems:
            tell(Finding("fail", "settings", problem))
        return Exit.USAGE
    try:
        url = session.address
    except StoreUnavailable as error:
        tell(Finding("fail", "store", str(error), unreachable=True))
        return Exit.UNREACHABLE
    # Not the session's client: a store that will not do is a finding here, not an error.
    with connect(url) as client:
        partition = Partition(client, Keys(settings.partition))
        findings = [tell(one) for one in Doctor(settings, session.credentials, partition, url).look(call=not offline)]
    return _conclude(findings)


def _conclude(findings: list[Finding]) -> int:
    failed = [one for one in findings if one.level == "fail"]
    warned = sum(one.level == "warn" for one in findings)
    verdict = f"{len(failed)} of {many(len(findings), 'finding')} {'fails' if len(failed) == 1 else 'fail'}"
    say((verdict if failed else "all is well") + (f", {many(warned, 'warning')}" if warned else "") + ".")
    if not failed:
        return Exit.DONE
    unusable = any(one.about == "store" for one in failed) or all(one.unreachable for one in failed)
    return Exit.UNREACHABLE if unusable else Exit.FAILED


@click.command("workers", short_help="List the worker processes that live.")
@json_option
@with_session
def workers_command(session: Session, as_json: bool) -> None:
    """List the worker processes that live, with their threads and what they run."""
    key, partition = session.partition.key, session.partition
    beats = partition.one("zrange", key("workers"), 0, -1, False, True)
    records = partition.ask(*(("hgetall", key("worker", name)) for name, _ in beats))
    flying = Counter(row[3] for row in partition.decide("running", {"limit": 10_000}))
    now_us = partition.now_us()
    rows = []
    for (name, beat), facts in zip(beats, records, strict=True):
        rows.append(
            {
                "worker": name, "host": facts.get("host"), "pid": int(facts.get("pid") or 0),
                "threads": int(facts.get("threads") or 0), "in_flight": flying[name], "version": facts.get("version"),
                "started_us": int(facts.get("started") or 0) * 1_000_000, "seen_us": int(float(beat)),
                "silent": now_us - float(beat) > session.settings.broker.lease_s * 1e6,
            }
        )  # fmt: skip
    if as_json:
        for row in rows:
            emit(times(row))
        return
    columns = ("worker", "host", "pid", "threads", "in flight", "version", "started", "last seen")
    table(
        columns,
        (
            (
                row["worker"], row["host"], row["pid"], row["threads"], row["in_flight"], row["version"],
                ago(row["started_us"]), f"{ago(row['seen_us'])}{', silent' if row['silent'] else ''}",
            )
            for row in rows
        ),
        empty="no worker is running; `dramatiq worker.main:broker tasks` starts one",
    )  # fmt: skip
    if rows:
        threads = sum(int(str(row["threads"])) for row in rows)
        say(f"{many(len(rows), 'process', 'processes')}, {many(threads, 'thread')}.")
