"""The client that other services copy: it works against a real web process, and carries nothing else with it."""

import asyncio
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.integration.fate_bench import Bench
from tests.integration.fate_web import listening
from tests.integration.intake import READ, STOP, Web
from worker.accept.intake import paceline_calls, paceline_client
from worker.accept.intake.paceline_client import AsyncClient, Client, Failed, PacelineRefused, PacelineUnreachable
from worker.sandbox.server import Sandbox
from worker.store.embedded import EmbeddedServer

OPERATION, ACCOUNT, PARAMS = READ["operation"], READ["account"], READ["params"]


@pytest.fixture
def bench(redis_url: str, store: "redis.Redis[bytes]", sandbox: Sandbox, tmp_path: Path) -> Iterator[Bench]:
    with listening() as (url, serve), Bench(redis_url, sandbox, tmp_path, idle=True, PUBLIC_URL=url) as made:
        serve(made)
        yield made


@pytest.fixture
def client(bench: Bench) -> Client:
    return Client(str(bench.settings.public_url))


def test_a_service_asks_waits_and_gets_its_result(bench: Bench, client: Client) -> None:
    bench.start()
    asked = [
        client.enqueue(str(OPERATION), str(ACCOUNT), PARAMS, key='of "my" own', priority="urgent", deadline_s=60)
        for _ in range(2)
    ]
    job = asked[0]
    assert asked[1] == job
    assert isinstance(client.wait(job), dict)
    assert client.job(job)["state"] == "done"


def test_a_typed_call_is_asked_for_like_any_other(bench: Bench, client: Client) -> None:
    made = paceline_calls.stellantis_b2b_get_vehicle_status(str(ACCOUNT), {"fid": "FLEET-1", "vid": "V"}, key="typed")
    job = client.ask(made)
    assert client.ask(made) == job == client.enqueue(made["operation"], made["account"], made["params"], key="typed")
    assert client.job(job)["operation"] == "stellantis.b2b.get_vehicle_status"
    stop = paceline_calls.hub_stop_session("hub:IN-ABC", {"session_id": "S-1"}, priority="normal")
    answers = list(client.enqueue_many([made, stop]))
    assert ([answer["status"] for answer in answers], answers[0]["id"]) == ([202, 202], job)
    for one in answers:
        client.cancel(one["id"])


def test_a_call_that_ended_badly_is_raised_with_all_that_is_known(bench: Bench, client: Client) -> None:
    bench.fault(str(OPERATION), "status", status=400)
    bench.start()
    with pytest.raises(Failed, match="invalid_request") as caught:
        client.wait(client.enqueue(str(OPERATION), str(ACCOUNT), PARAMS))
    assert caught.value.job["state"] == "dead"


def test_what_is_refused_is_raised_with_the_problem(bench: Bench, client: Client) -> None:
    with pytest.raises(PacelineRefused, match="vid") as caught:
        client.enqueue(str(OPERATION), str(ACCOUNT), {"fid": "FLEET-1"})
    assert (caught.value.status, caught.value.problem["type"]) == (422, "/v1/errors/refused")


def test_what_has_not_ended_in_time_goes_on_and_can_be_cancelled(bench: Bench, client: Client) -> None:
    job = client.enqueue(str(OPERATION), str(ACCOUNT), PARAMS)
    with pytest.raises(TimeoutError):
        client.wait(job, 0.2)
    assert client.cancel(job)["state"] == "cancelled"
    with pytest.raises(Failed):
        client.wait(job)


def test_many_calls_and_their_answers(bench: Bench, client: Client) -> None:
    answers = list(client.enqueue_many([READ, {"operation": "x"}, STOP], key="night"))
    assert [answer["status"] for answer in answers] == [202, 422, 202]
    assert [one["id"] for one in client.enqueue_many([READ], key="night")] == [answers[0]["id"]]
    for answer in (answers[0], answers[2]):
        client.cancel(answer["id"])


def test_the_same_from_a_coroutine(bench: Bench) -> None:
    bench.start()
    client = AsyncClient(str(bench.settings.public_url))

    async def story() -> list[str]:
        jobs = await asyncio.gather(*(client.enqueue(str(OPERATION), str(ACCOUNT), PARAMS) for _ in range(5)))
        await asyncio.gather(*(client.wait(job) for job in jobs))
        answers = await client.enqueue_many([READ])
        await client.wait(answers[0]["id"])
        typed = paceline_calls.stellantis_b2b_get_vehicle_status(str(ACCOUNT), {"fid": "FLEET-1", "vid": "V"})
        await client.wait(await client.ask(typed))
        return [(await client.job(job))["state"] for job in jobs]

    assert asyncio.run(story()) == ["done"] * 5


def test_a_process_that_is_away_is_asked_again_until_it_is_back(store_server: EmbeddedServer, store: object) -> None:
    web = Web(store_server.url)  # takes its time to begin to listen
    try:
        job = Client(f"http://127.0.0.1:{web.port}").enqueue(str(OPERATION), str(ACCOUNT), PARAMS)
        assert web.ask("GET", f"/v1/jobs/{job}").json["state"] == "waiting"
    finally:
        web.stop()
    url = f"http://127.0.0.1:{web.port}"
    with pytest.raises(PacelineUnreachable, match=f"{url} could not be reached .*refused") as caught:
        Client(url, patience_s=0.2).enqueue(str(OPERATION), str(ACCOUNT), PARAMS)
    assert (caught.value.url, isinstance(caught.value, OSError)) == (url, True)
    with pytest.raises(PacelineUnreachable, match=url):
        asyncio.run(AsyncClient(url, patience_s=0.0).job("0-none"))


def test_the_files_work_on_their_own_as_the_readme_says(bench: Bench, tmp_path: Path) -> None:
    for module in (paceline_client, paceline_calls):
        shutil.copy(str(module.__file__), tmp_path)
    readme = Path(str(paceline_client.__file__)).parents[3].joinpath("README.md").read_text(encoding="utf-8")
    [code] = [one for one in re.findall(r"```python\n(.*?)```", readme, re.DOTALL) if "paceline_calls" in one]
    code = code.replace('"http://localhost:8080", "pace_…"', repr(str(bench.settings.public_url)))
    bench.start()
    command = [sys.executable, "-S", "-c", f"{code}\nimport sys; print('worker' in sys.modules, result['vin'] != '')"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "False True"
