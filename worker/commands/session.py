"""Commands: what a command needs of the system, made when it is first asked for.

Promise: a command that needs no store opens none, and one that needs a store says in one line when there is none.
Scope: putting parts together for one run; the embedded server is left when the run ends.
"""

from __future__ import annotations

import importlib
from functools import cached_property
from types import TracebackType
from typing import Any

import click
import redis

from settings import Account, Settings, load
from worker.accept.enqueue import Enqueuer
from worker.accept.job_search import JobSearch
from worker.accept.jobs import Jobs
from worker.deliver.credentials import Credentials
from worker.errors import Refused, StoreUnavailable
from worker.fail.bulk import BulkActions
from worker.fail.dead_letter import DeadLetters
from worker.fail.filter_words import FilterWords
from worker.fail.overriding import table_of
from worker.fail.problem import Problems
from worker.limiter.holds import Holds
from worker.limiter.lanes import Lanes
from worker.limiter.limiter import Limiter
from worker.main import store_url
from worker.observe.redact import Redactor
from worker.observe.spans import QueueSpans, queue_spans
from worker.store.connection import check_rights, check_store, connect, shown
from worker.store.keys import Keys
from worker.store.partition import Partition
from worker.store.scripts import Scripts


class Session:
    """The parts of one run of the command line."""

    def __init__(self) -> None:
        self._server: Any = None

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if "client" in self.__dict__:
            self.client.close()
        if (spans := self.__dict__.get("spans")) is not None:
            spans.close()
        if self._server is not None:
            self._server.stop()

    @cached_property
    def settings(self) -> Settings:
        """Raises `SettingsError`, also for rows of the error table that cannot be changed as settings want it."""
        settings = load()
        table_of(settings)
        return settings

    @cached_property
    def accounts(self) -> dict[str, Account]:
        return self.settings.accounts()

    def load_catalogue(self) -> None:
        """Loads the modules that settings name: their rows are in the register after that."""
        for name in self.settings.modules:
            try:
                importlib.import_module(name)
            except ModuleNotFoundError as error:
                if error.name is None or not f"{name}.".startswith(f"{error.name}."):
                    raise
                raise Refused(
                    f"expected a Python module named {name!r} (PACELINE_MODULES), found none; start from the folder "
                    "that holds it, or correct the setting."
                ) from None

    @cached_property
    def address(self) -> str:
        """Where the store is; starts or joins the embedded one if none is named. Raises `StoreUnavailable`."""
        url, self._server = store_url(self.settings)
        return url

    @cached_property
    def client(self) -> redis.Redis:
        """A client of a store that has been looked at. Raises `StoreUnavailable`."""
        client = connect(self.address)
        try:
            check_store(client, shown(self.address))
            check_rights(Scripts(client, self._keys), shown(self.address))
        except StoreUnavailable:
            client.close()
            raise
        return client

    @cached_property
    def partition(self) -> Partition:
        return Partition(self.client, self._keys, self._scripts)

    @cached_property
    def enqueuer(self) -> Enqueuer:
        enqueuer = Enqueuer(self.settings, self.client, self._scripts)
        if self.spans is not None:
            enqueuer.published = self.spans.published
        return enqueuer

    @cached_property
    def spans(self) -> QueueSpans | None:
        return queue_spans(self.settings, self.redactor)

    @cached_property
    def credentials(self) -> Credentials:
        return Credentials(self.settings)

    @cached_property
    def redactor(self) -> Redactor:
        return Redactor(self.credentials.secrets, self.settings.observe.personal_data)

    @cached_property
    def jobs(self) -> Jobs:
        return Jobs(self.partition, self.redactor)

    @cached_property
    def search(self) -> JobSearch:
        return JobSearch(self.partition)

    @cached_property
    def limiter(self) -> Limiter:
        return Limiter(self.partition)

    @cached_property
    def holds(self) -> Holds:
        return Holds(self.partition)

    @cached_property
    def lanes(self) -> Lanes:
        return Lanes(self.partition, self.limiter, self.holds)

    @cached_property
    def letters(self) -> DeadLetters:
        return DeadLetters(self.partition)

    def check_words(
        self, *, account: str | None = None, operation: str | None = None, error_class: str | None = None
    ) -> None:
        """Raises `Refused` for a filter's word that nothing can have."""
        if operation is not None:
            self.load_catalogue()
        words = FilterWords(self.accounts, self.partition)
        words.check("--{}".format, account=account, operation=operation, error_class=error_class)

    @cached_property
    def bulk(self) -> BulkActions:
        return BulkActions(self.partition, self.limiter, self.settings.fail.dead_ttl_s)

    @cached_property
    def problems(self) -> Problems:
        return Problems(self.partition)

    @cached_property
    def _keys(self) -> Keys:
        return Keys(self.settings.partition)

    @cached_property
    def _scripts(self) -> Scripts:
        return Scripts(self.client, self._keys)


with_session = click.make_pass_decorator(Session)
