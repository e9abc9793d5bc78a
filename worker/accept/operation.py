"""Accept: what an operation is, and the register of all of them.

Promise: `check` lets a call through only if it is complete, of the right shape and allowed for the account, and says in
one sentence what is wrong otherwise; `request` builds exactly one HTTP request from what was checked, no credentials.
Scope: one documented API call as data. The rows themselves are in `tasks/`, which fills the register when it is loaded;
credentials, request ids and sending belong to the deliver stage.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from string import Formatter
from typing import Any, Literal
from urllib.parse import quote

from pydantic import BaseModel, ValidationError

from settings import Account
from worker.accept.paging import PageLink, Paging, successor
from worker.accept.refusal import did_you_mean, sentence
from worker.errors import Refused
from worker.observe import choices

__all__ = ["CallSpec", "Operation", "PageLink", "account_for", "askable", "find", "operations", "register"]

Priority = Literal["urgent", "normal", "bulk"]
Meaning = Literal["plain", "authorization", "command", "page", "data"]
Example = tuple[dict[str, Any], dict[str, Any] | None]


@dataclass(frozen=True, slots=True)
class CallSpec:
    """One HTTP request without credentials, request ids or timing."""

    method: str
    url: str
    query: list[tuple[str, str]]
    json: dict[str, Any] | None
    headers: dict[str, str]


def _nothing_more(account: Account, params: dict[str, Any], body: dict[str, Any] | None) -> str | None:
    return None


def _no_headers(account: Account) -> dict[str, str]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One documented API call: a row of the catalogue."""

    name: str
    api: Literal["hub", "stellantis", "callback"]
    method: Literal["GET", "PUT", "POST"]
    path: str  # relative to the account's base URL; {names} are parameters, all others go into the query
    budget: str
    priority: Priority
    repeatable: bool  # may be sent again when nobody knows whether it was carried out
    why: str  # why it is repeatable or not
    deadline_s: float
    params: type[BaseModel]
    body: type[BaseModel] | None = None
    body_required: bool = True
    role: str | None = None  # the only OCPI role that may call it
    path_names_us: bool = False  # country_code and party_id in the path are those of the caller
    paging: Paging | None = None
    meaning: Meaning = "plain"  # what a success has to hold: nothing, an answer, a command's result, a page, an object
    reconcile: str | None = None  # the operation that tells what became of an unknown outcome
    headers: Callable[[Account], dict[str, str]] = _no_headers
    also: Callable[[Account, dict[str, Any], dict[str, Any] | None], str | None] = _nothing_more
    ours: bool = False  # made by Paceline itself, never asked for
    doc: str  # where the vendor describes it
    example: Example

    def __hash__(self) -> int:
        return hash(self.name)

    def check(
        self, account: Account, params: Mapping[str, Any] | None = None, body: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any] | None]:
        """The call as JSON-able values in the vendor's names, or `Refused` with one sentence."""
        self._check_account(account)
        checked = self._validated("params", self.params, {} if params is None else params)
        self._check_party(account, checked)
        checked_body = self._checked_body(body)
        if (problem := self.also(account, checked, checked_body)) is not None:
            raise Refused(f"{self.name}: {problem}")
        return checked, checked_body

    def request(
        self,
        account: Account,
        params: Mapping[str, Any],
        body: Mapping[str, Any] | None = None,
        *,
        response_url: str | None = None,
    ) -> CallSpec:
        """The HTTP request for checked values; `response_url` is used where the body has none of its own."""
        return CallSpec(
            method=self.method,
            url=self._url(account, params),
            query=[pair for name in self.query_names for pair in _pairs(name, params.get(name))],
            json=self._json(body, response_url),
            headers=self.headers(account),
        )

    def next_page(self, account: Account, params: Mapping[str, Any], page: PageLink | None) -> dict[str, Any] | None:
        """Parameters of the page after this one; None at the end. `Refused` if the link leads elsewhere or back."""
        if page is None or self.paging is None:
            return None
        url = self._url(account, params)
        following = successor(self.name, self.paging, url, self.query_names, self._list_names, params, page)
        return self._validated("params", self.params, following)

    @property
    def path_names(self) -> list[str]:
        """Parameters that stand in the path, in its order."""
        return [name for _, name, _, _ in Formatter().parse(self.path) if name]

    @property
    def query_names(self) -> list[str]:
        """Parameters that go into the query, in the model's order."""
        names = (field.alias or name for name, field in self.params.model_fields.items())
        return [name for name in names if name not in self.path_names]

    @property
    def wants_response_url(self) -> bool:
        """Whether the result comes later, to an address in the body."""
        return self.body is not None and "response_url" in self.body.model_fields

    def json_schema(self) -> dict[str, Any]:
        """JSON Schema of the parameters and of the body (None where there is none)."""
        return {
            "params": self.params.model_json_schema(),
            "body": None if self.body is None else self.body.model_json_schema(),
        }

    def describe(self) -> dict[str, Any]:
        """The row as it is listed to people and programs."""
        shown = ("name", "api", "method", "path", "budget", "priority", "repeatable", "why", "deadline_s", "role")
        params, body = self.example
        more = {"paging": self.paging, "reconcile": self.reconcile, "body": self.body is not None, "doc": self.doc}
        return {name: getattr(self, name) for name in shown} | more | {"example": {"params": params, "body": body}}

    def _check_account(self, account: Account) -> None:
        if account.api != self.api:
            raise Refused(
                f"{self.name}: expected an account of the {self.api} API, got {account.name}; "
                f"choose one whose name starts with '{self.api}:'."
            )
        if self.role is not None and (account.role or "").upper() != self.role:
            raise Refused(
                f"{self.name}: expected an account with the role {self.role}, got {account.name} with the role "
                f"{account.role}; only a {self.role} may call it, so choose such an account."
            )

    def _check_party(self, account: Account, params: Mapping[str, Any]) -> None:
        if not self.path_names_us:
            return
        ours = f"{account.country_code}-{account.party_id}"
        got = f"{params['country_code']}-{params['party_id']}"
        if got.casefold() != ours.casefold():  # CiString: compared without case
            raise Refused(
                f"{self.name}: expected params.country_code and params.party_id to name the calling party {ours}, "
                f"got {got}; correct them or choose the account of {got}."
            )

    def _checked_body(self, body: Mapping[str, Any] | None) -> dict[str, Any] | None:
        if self.body is None:
            if body is None:
                return None
            raise Refused(f"{self.name}: expected no body, got one; leave it out.")
        if body is None:
            if not self.body_required:
                return None
            names = ", ".join(name for name, field in self.body.model_fields.items() if field.is_required())
            raise Refused(f"{self.name}: expected a body, got none; add one{f' with {names}' if names else ''}.")
        return self._validated("body", self.body, body)

    def _validated(self, part: str, model: type[BaseModel], values: Mapping[str, Any]) -> dict[str, Any]:
        if not isinstance(values, Mapping):
            raise Refused(f"{self.name}: expected {part} to be an object, got {type(values).__name__}; correct it.")
        try:
            checked = model.model_validate(dict(values))
        except ValidationError as error:
            # `from None`: the original shows values that may be personal.
            raise Refused(sentence(self.name, part, model, error)) from None
        return checked.model_dump(mode="json", by_alias=True, exclude_none=True)

    def _url(self, account: Account, params: Mapping[str, Any]) -> str:
        filled = {name: _segment(self.name, name, params) for name in self.path_names}
        return account.base_url.rstrip("/") + self.path.format_map(filled)

    def _json(self, body: Mapping[str, Any] | None, response_url: str | None) -> dict[str, Any] | None:
        if not self.wants_response_url:
            return None if body is None else dict(body)
        address = (body or {}).get("response_url") or response_url
        if not address:
            raise Refused(
                f"{self.name}: expected an address for the result, got none; set PACELINE_PUBLIC_URL, "
                "or give body.response_url."
            )
        return {**(body or {}), "response_url": address}

    @property
    def _list_names(self) -> list[str]:
        schema = self.params.model_json_schema()["properties"]
        return [name for name in self.query_names if "array" in str(schema[name])]


NO_ACCOUNT = (
    "no account is configured yet: name a file of settings in PACELINE_CONFIG, or copy what .env.example has; or try "
    "it out with `python -m worker sandbox`, which prints the `export` lines for this shell."
)
operations: dict[str, Operation] = {}


def register(operation: Operation) -> Operation:
    """Add a row; the same row again changes nothing, another one of the same name is a programming error."""
    known = operations.setdefault(operation.name, operation)
    if known != operation:
        raise ValueError(f"two different operations are named {operation.name!r}; rename one of them")
    for model in (operation.params, operation.body):
        choices.learn(model)
    return known


def askable() -> list[Operation]:
    """The operations that somebody may ask for, in the catalogue's order."""
    return [row for row in operations.values() if not row.ours]


def find(name: str) -> Operation:
    """The operation of that name, or `Refused` with the nearest one."""
    if name in operations:
        return operations[name]
    said = f"expected an operation of the catalogue, got {name[:80]!r}; {did_you_mean(name, operations)}"
    raise Refused(
        f"{said}`python -m worker operations` lists them all.", over_http=f"{said}GET /v1/catalogue lists them all."
    )


def account_for(accounts: Mapping[str, Account], name: str, api: str | None = None) -> Account:
    """The account of that name, or `Refused` with those that exist (of `api`, as far as it can be told)."""
    if name in accounts:
        return accounts[name]
    wanted = api or name.partition(":")[0]
    known = sorted(known for known, account in accounts.items() if account.api == wanted) or sorted(accounts)
    said = f"expected a configured account, got {name[:80]!r}; {did_you_mean(name, known)}"
    raise Refused(
        said
        + (f"known accounts: {', '.join(known)}." if known else NO_ACCOUNT),
        over_http=None if known else f"{said}no account is configured yet; ask whoever runs this service.",
    )


def _pairs(name: str, value: Any) -> Iterable[tuple[str, str]]:
    """A list is sent as the name repeated, which is what both vendors' descriptions say."""
    if value is None:
        return []
    values = value if isinstance(value, list) else [value]
    return [(name, str(each).lower() if isinstance(each, bool) else str(each)) for each in values]


def _segment(operation: str, name: str, params: Mapping[str, Any]) -> str:
    value = str(params.get(name, ""))
    if value in ("", ".", ".."):
        # Checked at acceptance; checked again here because a message may have been written by an older version.
        raise Refused(f"{operation}: expected params.{name} to be an id, got none that can stand in a path; add it.")
    return quote(value, safe="")
