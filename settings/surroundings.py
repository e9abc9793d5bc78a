"""Settings: the process's own environment, for those who start other programs.

Promises: no variable of Paceline's own is in it, so a child has exactly the settings it is told and none of its
parent's. Scope ends at the copy; `loading` reads the settings themselves.
"""

import os
from collections.abc import Mapping

from settings.sources import PREFIX


def surroundings(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment (or the given one) without `PACELINE_*`."""
    given = os.environ if environ is None else environ
    return {name: value for name, value in given.items() if not name.upper().startswith(PREFIX)}
