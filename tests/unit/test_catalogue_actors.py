"""Actors of the catalogue, each test in a process of its own: dramatiq's broker is one global per process."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
WITH_BROKER = """
import dramatiq
from dramatiq.brokers.stub import StubBroker
broker = StubBroker()
dramatiq.set_broker(broker)
"""


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_loading_the_catalogue_without_a_broker_does_not_let_dramatiq_invent_one() -> None:
    assert run("import tasks, dramatiq.broker; print(dramatiq.broker.global_broker)") == "None"


def test_loading_the_catalogue_makes_one_actor_per_row_on_the_broker_that_is_set() -> None:
    code = f"{WITH_BROKER}\nimport tasks\nprint(sorted(broker.actors) == sorted(row.name for row in tasks.ROWS))"
    assert run(code) == "True"


def test_an_actor_is_found_under_the_name_of_its_operation() -> None:
    code = f"""{WITH_BROKER}
from tasks.hub import start_session
from tasks.stellantis.b2b import get_vehicle_status
print(start_session.actor_name, get_vehicle_status.actor_name, start_session.broker is broker)"""
    assert run(code) == "hub.start_session stellantis.b2b.get_vehicle_status True"


def test_an_actor_asked_for_after_its_rows_were_loaded_alone_is_made_once() -> None:
    code = f"""import tasks
{WITH_BROKER}
from tasks.hub import start_session as first
tasks.bind_actors()
from tasks.hub import start_session as second
print(first is second, len(broker.actors) == len(tasks.ROWS))"""
    assert run(code) == "True True"


def test_a_name_that_is_no_operation_is_an_ordinary_import_error() -> None:
    code = """
try:
    from tasks.hub import unlock_connector
except ImportError as error:
    print("cannot import name" in str(error))"""
    assert run(code) == "True"
