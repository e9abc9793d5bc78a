"""A test's hand inside a worker process: Python imports this module first where `PYTHONPATH` names its folder.

What it does is written in the file that `BENT` names, as JSON, and may change while the process runs: `wall_s` is added
to its wall clock, `boot_s` to its boot-time clock; with `gil` no thread of it runs, once, from when there is a file
BENT.held until the pipe BENT.end brings a byte (its sockets and its master go on); `stall_s` passes between take and
call in every `stall_each`-th call. Nothing else of the process is different: it is the Procfile's own line that runs.
"""

import ctypes
import datetime
import itertools
import json
import os
import sys
import threading
import time

FILE = os.environ["BENT"]
_real = {"time": time.time, "time_ns": time.time_ns, "clock_gettime": time.clock_gettime, "datetime": datetime.datetime}
_state: dict[str, float] = {}
_looked_s = -1.0


def bent(name: str) -> float:
    """What the test wants now; looked up ten times a second at most."""
    global _state, _looked_s
    now = time.monotonic()
    if now - _looked_s > 0.1:
        _looked_s = now
        try:
            with open(FILE, encoding="ascii") as told:
                _state = json.load(told)
        except (OSError, ValueError):  # not written yet, or being written
            pass
    return float(_state.get(name, 0))


class _Kind(type):
    def __instancecheck__(cls, one: object) -> bool:
        return isinstance(one, _real["datetime"])


class Shifted(_real["datetime"], metaclass=_Kind):  # type: ignore[misc]
    """`datetime` whose present is another; what it makes are ordinary datetimes."""

    def __new__(cls, *args: object, **kwargs: object) -> object:
        return _real["datetime"](*args, **kwargs)

    @classmethod
    def now(cls, tz: object = None) -> object:
        return _real["datetime"].now(tz) + datetime.timedelta(seconds=bent("wall_s"))


def _clock_gettime(clock: int) -> float:
    shift = bent("boot_s") if clock == time.CLOCK_BOOTTIME else 0.0
    return _real["clock_gettime"](clock) + shift


def _hold_the_gil() -> None:
    """Calls into C that do not let go, as a badly written extension makes them."""
    blocking, path = ctypes.PyDLL(None), FILE.removesuffix(".json")
    while not bent("gil"):
        time.sleep(0.02)
    end = os.open(f"{path}.end", os.O_RDWR)
    sys.setswitchinterval(60.0)  # nobody asks for it between the two calls
    blocking.creat(f"{path}.held".encode(), 0o600)
    blocking.read(end, ctypes.create_string_buffer(1), 1)
    sys.setswitchinterval(0.005)


def _stall_calls() -> None:
    """Puts a pause into `http_call.send` once that module is there."""
    while "worker.deliver.attempt" not in sys.modules or not hasattr(sys.modules["worker.deliver.attempt"], "Delivery"):
        time.sleep(0.001)
    from worker.deliver import http_call

    send, numbers = http_call.send, itertools.count(1)

    def stalling(*args: object, **kwargs: object) -> object:
        each = int(bent("stall_each"))
        if each and next(numbers) % each == 0:
            time.sleep(bent("stall_s"))
        return send(*args, **kwargs)

    http_call.send = stalling


time.time = lambda: _real["time"]() + bent("wall_s")
time.time_ns = lambda: _real["time_ns"]() + int(bent("wall_s") * 1e9)
time.clock_gettime = _clock_gettime
datetime.datetime = Shifted


def _begin() -> None:
    for work in (_hold_the_gil, _stall_calls):
        threading.Thread(target=work, daemon=True).start()


os.register_at_fork(after_in_child=_begin)  # in the process that runs jobs, not in its master
