"""Settings: names that are nearly right.

Promises: a wrong name is answered with the closest right one, if any is close. Scope ends at comparing names;
values never come here.
"""

import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from settings.section import sentence

M = TypeVar("M", bound=Mapping[str, object])


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """ ", did you mean X?" or nothing."""
    spellings = {k.upper(): k for k in known}
    close = difflib.get_close_matches(name.upper(), spellings, n=1, cutoff=0.6)
    return f", did you mean {spellings[close[0]]}?" if close else ""


def known_names(allowed: tuple[str, ...]) -> Callable[[M], M]:
    """A validator for a table whose keys are ours to name."""

    def check(table: M) -> M:
        for name in table:
            if name not in allowed:
                what = f"{name!r} is none of the names" if len(name) <= 24 else "one name is none of the names"
                close = did_you_mean(name, allowed) or "."
                raise sentence(f"{what} {', '.join(allowed)}{close}")
        return table

    return check
