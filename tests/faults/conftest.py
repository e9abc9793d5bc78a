"""The stages of the fault tests."""

import pytest

from tests.faults.stages import allow_for_slow_machines, apis, make_stage, shared_apis, stage

__all__ = ["apis", "make_stage", "shared_apis", "stage"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    allow_for_slow_machines(items, __file__)
