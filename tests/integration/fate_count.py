"""Which rows of the error table are provoked by which test: said by the tests, counted by `test_fates_table.py`."""

from collections.abc import Callable
from typing import Any, TypeVar

Test = TypeVar("Test", bound=Callable[..., Any])
Sign = tuple[str, str, str]
"""A row's API, its sign, and `repeatable` or `unrepeatable`."""

PROVOKED: dict[Sign, set[str]] = {}


def provokes(api: str, sign: str, *kinds: str) -> Callable[[Test], Test]:
    """Says which rows of the table a test provokes; `test_fates_table.py` counts them."""

    def note(test: Test) -> Test:
        for kind in kinds:
            PROVOKED.setdefault((api, sign, kind), set()).add(test.__name__)
        return test

    return note
