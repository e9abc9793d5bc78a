"""A module of somebody's that is loaded beside the catalogue and breaks, with secrets and people in what it says.

Run inside a worker process by `test_secrets_nowhere.py`: `dramatiq worker.main:broker tasks tests.integration.leaky`.
"""

import logging
from typing import Any

import dramatiq
from dramatiq import Broker, MessageProxy, Middleware

from worker.main import system

logger = logging.getLogger("somebody.else")


class Leaky(Middleware):
    """Raises with a credential and a call's parameters in the text, before and after each call."""

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        raise RuntimeError(self._everything(message))

    def after_process_message(self, broker: Broker, message: MessageProxy, **_: Any) -> None:
        said = self._everything(message)
        logger.warning("after %s with %s", message.message_id, said)
        raise RuntimeError(said)

    def _everything(self, message: MessageProxy) -> str:
        account = message.kwargs["account"]
        return f"{system.credentials.headers_for(account)} {system.url} {message.kwargs}"


def leaky_delivery(deliver: Any) -> Any:
    """The calls of one operation raise what no part of this project expects."""

    def delivered(operation: Any, card: Any, account: str, params: Any, body: Any) -> Any:
        if operation.name == "hub.get_client_info":
            raise ValueError(f"{system.credentials.headers_for(account)} for {params}")
        return deliver(operation, card, account, params, body)

    return delivered


broker: Any = dramatiq.get_broker()
broker.add_middleware(Leaky())
broker.deliver = leaky_delivery(broker.deliver)
