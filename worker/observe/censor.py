"""Observe: the last door before anything leaves for people: every text in a value through the redactor once more.

Promise: no text of the value, at whatever depth, goes out as it came in unless the redactor lets it; names of fields
are ours and stay. Scope: walking; what is hidden is `redact.py`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from worker.observe.redact import Redactor


def censored(value: Any, redactor: Redactor) -> Any:
    """The value, redacted as free text wherever it is text."""
    if isinstance(value, str):
        return redactor.redact_text(value)
    if isinstance(value, Mapping):
        return {str(name): censored(item, redactor) for name, item in value.items()}
    return [censored(item, redactor) for item in value] if isinstance(value, (list, tuple)) else value
