"""Each rule's test can fail: with the rule taken out of the source, the test that the table names for it does.

A test that still passes proves nothing; a rule without a test that fails may be deleted by anyone.
"""

import inspect
import re
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
import redis

from tests.integration.mutations import Mutation, module_without, scripts_without
from tests.integration.mutations_advice import ADVICE_RULES
from tests.integration.mutations_broker import BROKER_RULES
from tests.integration.mutations_bulk import BULK_RULES
from tests.integration.mutations_saying import SAYING_RULES
from worker.store.composing import FOLDER, compose

try:
    from tests.integration.mutations_limiter import LIMITER_RULES
except ModuleNotFoundError:
    LIMITER_RULES = []

RULES: list[Mutation] = [*BROKER_RULES, *BULK_RULES, *LIMITER_RULES, *ADVICE_RULES, *SAYING_RULES]
NOT_OURS = {
    "test_jobs_survive_kill_nine_of_the_server",
    "test_an_error_inside_a_reply_is_an_answer_whoever_reads_it",
}
"""What is proved there is the server's or redis-py's; there is nothing of ours to take out."""


@pytest.fixture
def lua_folder(mutation: Mutation, tmp_path: Path) -> Iterator[Path]:
    """Overrides the folder every other fixture takes its scripts from."""
    with nullcontext() if mutation.is_script else module_without(mutation):
        yield scripts_without(mutation, tmp_path) if mutation.is_script else FOLDER


def test_every_rule_of_the_broker_is_in_the_table() -> None:
    texts = [path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_rules_broker_*.py")]
    tests = {name for text in texts for name in re.findall(r"^def (test_\w+)", text, re.M)}
    assert tests - {mutation.test.__name__ for mutation in BROKER_RULES} - NOT_OURS == set()


@pytest.mark.slow
@pytest.mark.parametrize("mutation", RULES, ids=lambda mutation: mutation.name)
def test_the_test_of_a_rule_fails_without_the_rule(
    mutation: Mutation, lua_folder: Path, store: "redis.Redis[bytes]", request: pytest.FixtureRequest
) -> None:
    for path in lua_folder.glob("*.lua"):
        store.script_load(compose(path.stem, lua_folder))  # what is left must still be a program
    wanted = [name for name in inspect.signature(mutation.test).parameters if name not in mutation.given]
    fixtures = {name: request.getfixturevalue(name) for name in wanted}
    try:
        mutation.test(**fixtures, **mutation.given)
    except (*mutation.dies_of, pytest.fail.Exception):
        return
    pytest.fail(f"{mutation.test.__name__} passes although {mutation.file} lacks the rule: {mutation.rule}")
