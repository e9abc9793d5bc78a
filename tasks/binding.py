"""How a row gets its actor: `hub.start_session` becomes `tasks.hub.start_session`.

Promise: an actor is made once per broker, and always on the broker of `worker.main` or on one set before; dramatiq's
habit of inventing a broker on localhost is never reached. Scope: names and actors; what an actor does is in `worker`.
"""

import importlib
from typing import Any

from dramatiq import Actor
from dramatiq import broker as dramatiq_broker

from worker.accept.operation import Operation, operations
from worker.broker.actors import actor_for


def has_broker() -> bool:
    return dramatiq_broker.global_broker is not None


def bind(operation: Operation) -> Actor[..., Any]:
    """The actor of a row on the broker that is set now, bound to the module the row's name says."""
    folder, _, action = operation.name.rpartition(".")
    module = importlib.import_module(f"tasks.{folder}")
    bound: Actor[..., Any] | None = vars(module).get(action)
    if bound is None or bound.broker is not dramatiq_broker.global_broker:
        bound = actor_for(operation)
        setattr(module, action, bound)
    return bound


def actor_of(module: str, action: str) -> Actor[..., Any]:
    """What `module.action` is when it was asked for before it was bound. `AttributeError` if it is no operation."""
    operation = operations.get(f"{module.removeprefix('tasks.')}.{action}")
    if operation is None:
        raise AttributeError(f"module {module!r} has no attribute {action!r}")
    if not has_broker():
        _ = importlib.import_module("worker.main").broker  # asking for it boots this process
    return bind(operation)
