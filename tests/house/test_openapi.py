"""House: the committed description of the HTTP intake is what the program serves.

`python -m tests.house.test_openapi` writes it anew.
"""

import importlib
import json
import re
from typing import Any

import pytest

from tests.house.source import ROOT
from worker.accept.intake.describing_calls import typed_calls

INTAKE = ROOT / "worker" / "accept" / "intake"
FILE, CALLS = INTAKE / "openapi.json", INTAKE / "paceline_calls.py"


@pytest.fixture
def described() -> dict[str, Any]:
    return json.loads(FILE.read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def made() -> str:
    importlib.import_module("tasks")
    from worker.accept.intake.describing import document

    return json.dumps(document(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def test_the_committed_document_is_the_one_that_is_served() -> None:
    assert FILE.read_text(encoding="utf-8") == made(), "run: python -m tests.house.test_openapi"


def test_the_committed_types_of_calls_are_those_of_the_document(described: dict[str, Any]) -> None:
    assert CALLS.read_text(encoding="utf-8") == typed_calls(described), "run: python -m tests.house.test_openapi"


def test_every_operation_is_described_with_what_it_takes(described: dict[str, Any]) -> None:
    from tasks import ROWS

    call = described["components"]["schemas"]["call"]
    assert set(call["discriminator"]["mapping"]) == {row.name for row in ROWS}
    for row in ROWS:
        schema = described["components"]["schemas"][f"call.{row.name}"]
        assert schema["properties"]["operation"]["const"] == row.name
        assert ("body" in schema["required"]) == (row.body is not None and row.body_required)


def test_every_reference_leads_somewhere(described: dict[str, Any]) -> None:
    named = {f"#/components/schemas/{name}" for name in described["components"]["schemas"]}
    assert set(re.findall(r'"(#/components/[^"]+)"', json.dumps(described))) <= named


if __name__ == "__main__":
    FILE.write_text(made(), encoding="utf-8")
    CALLS.write_text(typed_calls(json.loads(made())), encoding="utf-8")
