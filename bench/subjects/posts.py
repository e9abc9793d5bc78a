"""Bench, load: many connections that post calls one after another; prints how long it took and the latencies.

`python bench/subjects/posts.py PORT CONNECTIONS POSTS`. Plain sockets, so that the load is cheap beside its subject.
"""

import asyncio
import json
import sys
import time

CALL = {
    "operation": "stellantis.b2b.get_vehicle_status",
    "account": "stellantis:fleet-1",
    "params": {"fid": "FLEET-1", "vid": "VEH-00001"},
}
LENGTH = b"content-length:"


async def post(port: int, count: int, times: list[float], good: list[bool]) -> None:
    """One connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = json.dumps(CALL).encode()
    head = f"POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    for _ in range(count):
        began = time.perf_counter()
        writer.write(head.encode() + b"\r\n\r\n" + body)
        answer = (await reader.readuntil(b"\r\n\r\n")).lower()
        start = answer.index(LENGTH) + len(LENGTH)
        await reader.readexactly(int(answer[start : answer.index(b"\r\n", start)]))
        times.append(time.perf_counter() - began)
        good.append(answer.startswith((b"http/1.1 202", b"http/1.1 200")))
    writer.close()
    await writer.wait_closed()


async def main(port: int, connections: int, posts: int) -> None:
    """All of them at once."""
    times: list[float] = []
    good: list[bool] = []
    began = time.perf_counter()
    await asyncio.gather(*(post(port, posts // connections, times, good) for _ in range(connections)))
    print(json.dumps({"seconds": time.perf_counter() - began, "good": sum(good), "times": sorted(times)}))


if __name__ == "__main__":
    asyncio.run(main(*(int(word) for word in sys.argv[1:4])))
