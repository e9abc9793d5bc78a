"""Sandbox, command line: flags to options.

It promises that everything a Python caller can set at the start can be set here, the rarer things as JSON with
`--options`. Its scope ends at parsing; server.py runs.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from worker.sandbox.faults import ACTIONS, DETAILS, MATCHED

STEERING = """\
Faults, credentials and other users of an account are steered while it runs, under the control address that it prints:

  CONTROL=http://127.0.0.1:PORT/_control
  curl $CONTROL/                         # every control call, with its arguments
  curl $CONTROL/fault -d '{"action": "status", "status": 503, "match": {"api": "stellantis"}, "times": 3}'
  curl $CONTROL/fault -d '{"action": "hang", "match": {"operation": "hub.start_session"}, "seconds": 60}'
  curl $CONTROL/revoke -d '{"account": "hub:IN-ABC"}'
  curl $CONTROL/renew -d '{"account": "hub:IN-ABC"}'
  curl $CONTROL/clear_faults
"""


@dataclass(frozen=True, slots=True)
class Arguments:
    """What the command line asked for."""

    options: dict[str, Any]
    json: bool
    with_stdin: bool


def parse(argv: list[str] | None) -> Arguments:
    """Read the command line."""
    parser = _parser()
    given = parser.parse_args(argv)
    try:
        options: dict[str, Any] = json.loads(given.options)
        limits = dict(_limit(text) for text in given.limit)
    except ValueError as error:
        parser.error(str(error))
    ports = {"port": given.port, "stellantis_port": given.stellantis_port, "control_port": given.control_port}
    if given.port:
        ports["stellantis_port"] = given.stellantis_port or given.port + 1
        ports["control_port"] = given.control_port or given.port + 2
    latency = {
        name: value
        for name, value in {
            "fixed_ms": given.latency_ms,
            "jitter_ms": given.jitter_ms,
            "median_ms": given.median_ms,
            "p95_ms": given.p95_ms,
            "inbound_jitter_ms": given.inbound_jitter_ms,
        }.items()
        if value
    }
    if latency:
        options["latency"] = {"hub": latency, "stellantis": latency, **options.get("latency", {})}
    if limits:
        options["limits"] = {**options.get("limits", {}), **limits}
    tls = {name: value for name in ("tls_cert", "tls_key", "tls_ca") if (value := getattr(given, name))}
    return Arguments({**options, **ports, **tls}, given.json, given.exit_with_stdin)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m worker sandbox",
        description="Both APIs, simulated on 127.0.0.1.",
        epilog=STEERING + "\n".join(_faults()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=0, help="the hub's port (default: any)")
    parser.add_argument("--stellantis-port", type=int, default=0, help="default: the next after --port")
    parser.add_argument("--control-port", type=int, default=0, help="default: the one after that")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="fixed time to answer")
    parser.add_argument("--jitter-ms", type=float, default=0.0, help="more time to answer, evenly spread")
    parser.add_argument("--median-ms", type=float, default=0.0, help="log-normal time to answer")
    parser.add_argument("--p95-ms", type=float, default=0.0, help="with --median-ms: 95 %% are faster")
    parser.add_argument("--inbound-jitter-ms", type=float, default=0.0, help="time on the way in, before limits count")
    parser.add_argument("--limit", action="append", default=[], metavar="WINDOW=LIMIT/SECONDS", help="as tokens=10/1")
    parser.add_argument("--tls-cert", help="serve the Stellantis API over TLS with this certificate")
    parser.add_argument("--tls-key", help="the key of that certificate")
    parser.add_argument("--tls-ca", help="require client certificates of this authority")
    parser.add_argument("--options", default="{}", metavar="JSON", help="any other option, as in Sandbox(**options)")
    parser.add_argument("--json", action="store_true", help="print the URLs as one JSON line")
    parser.add_argument("--exit-with-stdin", action="store_true", help="end when the standard input is closed")
    return parser


def _faults() -> Iterator[str]:
    """What can be scripted."""
    yield f"\nA fault strikes the calls that `match` ({', '.join(MATCHED)}, or a regular expression for the path):"
    yield "so many `times`, for so many `seconds`, with a `probability`, or until it is cleared; the first that matches"
    yield "strikes. The `action` is one of these, and may be told what stands beside it:\n"
    yield from (f"  {action:<20}{DETAILS.get(action, '')}".rstrip() for action in ACTIONS)


def _limit(text: str) -> tuple[str, tuple[int, float]]:
    name, equals, value = text.partition("=")
    limit, slash, seconds = value.partition("/")
    if not (equals and slash):
        raise ValueError(f"--limit is WINDOW=LIMIT/SECONDS, for example tokens=10/1, not {text!r}")
    return name, (int(limit), float(seconds))
