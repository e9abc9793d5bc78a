"""Errors that mean something to whoever called Paceline; plumbing that every stage may use.

    PacelineError
    ├── Refused             the input cannot be accepted: expected, what came, how to mend
    │   └── ForeignOrigin   a page link leaves the account's API
    ├── NotFound            no such job, lane, dead letter …
    ├── Conflict            it exists, but its state does not allow this
    └── StoreUnavailable    Redis cannot be reached, or cannot be written to

Promise: every message is a sentence for a person and free of secrets and personal values.
Scope: what a remote API answered is not an error here but an outcome (`worker.deliver.outcome`).
"""


class PacelineError(Exception):
    """Root of everything Paceline raises on purpose. `over_http` says it to somebody who has the HTTP API alone, where
    the words for this machine name what such a caller cannot reach.
    """

    def __init__(self, said: str, *, over_http: str | None = None) -> None:
        super().__init__(said)
        self.over_http = said if over_http is None else over_http


class Refused(PacelineError):
    """The input cannot be accepted; the message says what was expected, what came, and how to mend it."""


class ForeignOrigin(Refused):
    """A link to the next page points at another host or path, where our credentials must never go."""


class NotFound(PacelineError):
    """What was named does not exist."""


class Conflict(PacelineError):
    """What was named exists, but its state does not allow what was asked."""


class StoreUnavailable(PacelineError):
    """The store cannot be reached or does not accept writes at the moment."""
