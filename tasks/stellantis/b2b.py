"""Fleet owners' operations: `from tasks.stellantis.b2b import list_fleets` gives the actor of that operation.

Promise: one actor per row of `rows.py`. Scope: names; `tasks/binding.py` makes the actors.
"""

from typing import Any

from dramatiq import Actor

from tasks.binding import actor_of


def __getattr__(name: str) -> Actor[..., Any]:
    return actor_of(__name__, name)
