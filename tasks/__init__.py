"""What can be asked for: the catalogue, a folder per API, and the actors of its rows.

Promise: loading this package puts every row into the register, and makes its actor if a broker is set.
Scope: which rows exist; a new API is one folder and one line here.

Without a broker the rows are loaded alone, because listing and checking calls needs none. The first actor that is asked
for then boots `worker.main` by itself, so the order of imports does not matter.
"""

from tasks.binding import bind, has_broker
from tasks.hub.rows import ROWS as HUB_ROWS
from tasks.stellantis.rows import ROWS as STELLANTIS_ROWS
from worker.accept.operation import Operation, register

ROWS: tuple[Operation, ...] = (*HUB_ROWS, *STELLANTIS_ROWS)


def bind_actors() -> None:
    """Make the actor of every row on the broker that is set now; those it already has stay."""
    for operation in ROWS:
        bind(operation)


for _operation in ROWS:
    register(_operation)
if has_broker():
    bind_actors()
