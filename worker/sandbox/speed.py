"""Sandbox, speed: `python -m worker.sandbox.speed` prints how many requests a second one core answers.

The sandbox runs in a process of its own, the caller here keeps a few connections busy. It promises a figure, no
verdict: it depends on the machine. Its scope ends there.
"""

from __future__ import annotations

import socket
import threading
import time

from worker.sandbox.process import SandboxProcess

SECONDS, CONNECTIONS = 3.0, 8
CALLS = {
    "hub authorize": (
        "hub",
        b"PUT /ocpi/2.2.1/tokens/IN/CPO/T-1/authorize HTTP/1.1\r\nHost: sandbox\r\nContent-Length: 2\r\n"
        b"Authorization: Token sandbox-token-abc\r\nX-Correlation-ID: job\r\n\r\n{}",
    ),
    "stellantis status": (
        "stellantis",
        b"GET /connectedcar/v3/fleets/FLEET-1/vehicles/VEH-00001/status?client_id=sandbox-client-1 HTTP/1.1\r\n"
        b"Host: sandbox\r\nAuthorization: Basic TVpQMDAwMDAxOnNhbmRib3gtcGFzc3dvcmQtMQ==\r\n\r\n",
    ),
}


def _busy(port: int, request: bytes, until: float, counts: list[int]) -> None:
    done = 0
    with socket.create_connection(("127.0.0.1", port)) as peer:
        while time.monotonic() < until:
            peer.sendall(request)
            reply = peer.recv(65536)
            while b"\r\n\r\n" not in reply or len(reply) < _length(reply):
                reply += peer.recv(65536)
            done += 1
    counts.append(done)


def _length(reply: bytes) -> int:
    head, _, _ = reply.partition(b"\r\n\r\n")
    return len(head) + 4 + int(head.partition(b"Content-Length: ")[2].split(b"\r\n")[0])


def measure(sandbox: SandboxProcess, api: str, request: bytes) -> float:
    """Requests a second over a few kept connections."""
    url = {"hub": sandbox.hub_url, "stellantis": sandbox.stellantis_url}[api]
    port = int(url.split(":")[2].split("/")[0])
    counts: list[int] = []
    started = time.monotonic()
    threads = [
        threading.Thread(target=_busy, args=(port, request, started + SECONDS, counts)) for _ in range(CONNECTIONS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.monotonic() - started)


def main() -> None:
    """Measure and print."""
    limits = {"tokens": (10**9, 1.0), "calls.day": (10**9, 86_400.0), "calls.second": (10**9, 1.0)}
    with SandboxProcess(limits=limits) as sandbox:
        for name, (api, request) in CALLS.items():
            print(f"{name:<20}{measure(sandbox, api, request):>10.0f} requests/s")


if __name__ == "__main__":
    main()
