"""Nothing is lost: after a test every accepted job has exactly one end or one place, and every permit is accounted for."""

from collections import Counter
from typing import Any

from worker.store.keys import Keys

ENDS = ("done", "dead", "cancelled", "expired")


def assert_conserved(client: Any, key: Keys) -> None:
    """Checks the books of one partition that no worker works on any more."""
    ids = [name.decode().split("job:", 1)[1] for name in client.scan_iter(key("job", "*"), count=1000)]
    states = {job_id: client.hget(key("job", job_id), "state").decode() for job_id in ids}
    told = {name.decode(): int(number) for name, number in client.hgetall(key("counts")).items()}
    waiting = Counter(
        member.decode()
        for kind in ("q", "due")
        for name in client.scan_iter(f"{key.prefix}{kind}:*", count=1000)
        for member in client.zrange(name, 0, -1)
    )
    assert told.get("accepted", 0) == len(ids), "every accepted job is there"
    for state in ENDS:
        assert told.get(state, 0) == sum(1 for each in states.values() if each == state), f"{state} is counted right"
    assert set(states.values()) <= {*ENDS, "waiting"}, "nothing is left running"
    assert client.zcard(key("leases")) == 0 and client.hlen(key("lease")) == 0, "no claim is left"
    assert client.hlen(key("flying")) == 0, "nothing is in flight"
    assert waiting == Counter(job_id for job_id, state in states.items() if state == "waiting"), "one place each"
    assert {m.decode() for m in client.zrange(key("dead"), 0, -1)} == {i for i, s in states.items() if s == "dead"}
    for name in client.scan_iter(key("window", "*"), count=1000):
        window = client.hmget(name, "inf", "late")
        assert window[0] == window[1], f"{name!r}: permits in flight without a call: {window}"
