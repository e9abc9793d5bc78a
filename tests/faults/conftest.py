"""The stages of the fault tests."""

from tests.faults.stages import apis, make_stage, shared_apis, stage

__all__ = ["apis", "make_stage", "shared_apis", "stage"]
