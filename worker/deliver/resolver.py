"""Deliver: name lookup that ends in time.

Promise: `resolve` returns or raises by the given moment. Scope: addresses of one name; nothing is remembered
between lookups, because a connection pool above already makes them rare and a stale address is worse than a lookup.

The C library's lookup has no time-out. It runs in a thread of its own, one per name at a time: callers wait as long
as they may, later callers for the same name join the lookup under way, and so a dead resolver holds one thread per
host name and never one per call. The threads are daemons: a process may end while the C library still waits.
"""

import os
import socket
import threading
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any

_NAT64 = IPv6Network("64:ff9b::/96")
Addresses = list[tuple[socket.AddressFamily, Any]]

_lock = threading.Lock()
_under_way: dict[tuple[str, int], Future[Addresses]] = {}


def _forget() -> None:
    global _lock
    _lock = threading.Lock()
    _under_way.clear()


# The threads of lookups under way do not live on in a forked child, so nobody there would ever be answered.
os.register_at_fork(after_in_child=_forget)


def resolve(host: str, port: int, by: float) -> Addresses:
    """The addresses of `host`, in the system's order; OSError if there are none by the moment `by` (monotonic)."""
    if _is_literal(host):
        return _look_up(host, port)
    try:
        return _join(host, port).result(timeout=max(0.0, by - time.monotonic()))
    except FutureTimeoutError:
        raise socket.gaierror(socket.EAI_AGAIN, "the name was not resolved in time") from None


def is_public(address: str) -> bool:
    """Whether an address leads out of every network of our own, also when one is wrapped in another."""
    found = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (IPv4Address(found.packed[-4:]) if found in _NAT64 else None)
        if inner is not None:
            return is_public(str(inner))
    special = found.is_multicast or found.is_reserved or found.is_unspecified
    return found.is_global and not special and getattr(found, "teredo", None) is None


def _is_literal(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _look_up(host: str, port: int) -> Addresses:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(family, address) for family, _, _, _, address in found]


def _join(host: str, port: int) -> Future[Addresses]:
    with _lock:
        lookup = _under_way.get((host, port))
        if lookup is None:
            lookup = _under_way[host, port] = Future()
            threading.Thread(target=_run, args=(host, port, lookup), name="resolver", daemon=True).start()
        return lookup


def _run(host: str, port: int, lookup: Future[Addresses]) -> None:
    addresses, failure = _outcome_of(host, port)
    with _lock:
        _under_way.pop((host, port), None)
    if failure is None:
        lookup.set_result(addresses)
    else:
        lookup.set_exception(failure)


def _outcome_of(host: str, port: int) -> tuple[Addresses, OSError | None]:
    try:
        return _look_up(host, port), None
    except OSError as error:
        return [], error
    except ValueError:  # UnicodeError too: a name that is too long or not encodable
        return [], socket.gaierror(socket.EAI_NONAME, "not a host name")
