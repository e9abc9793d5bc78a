"""Deliver: what one attempt turned out to mean, as a closed set of classes.

Promise: every response, failure and crash is exactly one member of `ALL`, and each member has a row in
`worker/fail/policy.py`. An outcome carries what the fate is decided on and what a person needs to read; it never
carries a request, a header or a secret. The scope ends at meaning: which class a response has is said by `hub.py`,
`stellantis.py` and `callback.py`, what happens then by the policy.
Outcomes are exceptions because dramatiq hands a failed call to its middleware as one.
"""

from worker.deliver.outcome_form import MESSAGE_LIMIT as MESSAGE_LIMIT
from worker.deliver.outcome_form import Hint as Hint
from worker.deliver.outcome_form import NotExecuted as _NotExecuted
from worker.deliver.outcome_form import Outcome as Outcome
from worker.deliver.outcome_form import bounded as bounded


class Success(Outcome):
    """The documented answer, in the documented shape; `result` holds it."""

    error_class = "success"
    executed_by_default = True


class RateLimited(_NotExecuted):
    """Refused for its rate; the remote side did not act on it."""

    error_class = "rate_limited"


class CredentialRefused(_NotExecuted):
    """The credential is wrong or revoked, or the party is suspended."""

    error_class = "credential_refused"


class NotFoundRemote(_NotExecuted):
    """The hub answered, in its own envelope, that the thing asked about does not exist."""

    error_class = "not_found"


class WrongPath(_NotExecuted):
    """Nothing answers there, or another dialect does: our address is wrong."""

    error_class = "wrong_path"


class GenericError(Outcome):
    """The hub's catch-all 2000; only its message says more."""

    error_class = "generic_error"


class Malformed(_NotExecuted):
    """The hub calls the request invalid."""

    error_class = "malformed"


class RoleRefused(_NotExecuted):
    """This party may not make this call, or not for the party in the path."""

    error_class = "role_refused"


class RemoteTrouble(Outcome):
    """The hub, or the party behind it, had trouble after it got the request."""

    error_class = "remote_trouble"


class ReceiverNotConnected(_NotExecuted):
    """The hub could not pass the request on; nobody acted on it."""

    error_class = "receiver_not_connected"


class UnknownReceiver(_NotExecuted):
    """The hub knows no receiver for the request, so it went nowhere."""

    error_class = "unknown_receiver"


class Undocumented(Outcome):
    """An answer that no page of the vendor describes. Never a success."""

    error_class = "undocumented"


class AuthorizationUnknown(_NotExecuted):
    """A successful envelope that says the charge point operator could not be asked."""

    error_class = "authorization_unknown"


class CommandRejected(_NotExecuted):
    """The charging station's operator refused the command."""

    error_class = "command_rejected"


class CommandUnsupported(_NotExecuted):
    """The command is not supported there, or names a session that does not exist."""

    error_class = "command_unsupported"


class CommandFailed(_NotExecuted):
    """A command was accepted, and its result says that it was not carried out."""

    error_class = "command_failed"


class CommandTimeout(Outcome):
    """A command was accepted and its result did not come in time."""

    error_class = "command_timeout"


class Undelivered(Outcome):
    """Something the hub should have pushed to us did not come, or it cannot reach us."""

    error_class = "undelivered"


class InvalidRequest(_NotExecuted):
    """Stellantis calls the request invalid."""

    error_class = "invalid_request"


class AccessRefused(_NotExecuted):
    """This subscription may not see or command this car."""

    error_class = "access_refused"


class NoData(Outcome):
    """There is no such data for this car, now. A normal answer."""

    error_class = "no_data"
    executed_by_default = True


class UnknownId(_NotExecuted):
    """An id in the path is unknown to Stellantis."""

    error_class = "unknown_id"


class ServerTrouble(Outcome):
    """The server or a gateway before it failed; whether it acted is not said."""

    error_class = "server_trouble"


class ConsentNeeded(_NotExecuted):
    """A server error that only a new consent of the driver ends."""

    error_class = "consent_needed"


class ReceiverGone(_NotExecuted):
    """The receiver of a callback wants none any more."""

    error_class = "receiver_gone"


class ReceiverRefused(_NotExecuted):
    """The receiver of a callback does not take it as it is."""

    error_class = "receiver_refused"


class ForbiddenAddress(_NotExecuted):
    """A receiver's name leads into our own network, where no callback may go."""

    error_class = "forbidden_address"


class NeverSent(_NotExecuted):
    """No byte of the request left us: no connection, name, handshake or free slot."""

    error_class = "never_sent"


class CertificateTrouble(_NotExecuted):
    """One side does not accept the other's certificate; no byte of the request was answered."""

    error_class = "certificate_trouble"


class OutcomeUnknown(Outcome):
    """At least one byte went out and no whole, readable answer came back."""

    error_class = "outcome_unknown"


class Redirected(_NotExecuted):
    """The answer points elsewhere. Not followed: our address is wrong."""

    error_class = "redirected"


class TooLate(_NotExecuted):
    """The permit's time to send had passed before the first byte; nothing was written."""

    error_class = "too_late"


class Fenced(_NotExecuted):
    """The job's lease belongs to somebody else by now; nothing was written."""

    error_class = "fenced"


class Crashed(Outcome):
    """The job's worker disappeared while it held the job."""

    error_class = "crashed"


class Internal(Outcome):
    """A mistake in this project: no decision, a broken hook, a refused script."""

    error_class = "internal"


class Expired(_NotExecuted):
    """Past its deadline before it was sent."""

    error_class = "expired"


ALL: tuple[type[Outcome], ...] = (
    Success, RateLimited, CredentialRefused, NotFoundRemote, WrongPath, GenericError, Malformed, RoleRefused,
    RemoteTrouble, ReceiverNotConnected, UnknownReceiver, Undocumented, AuthorizationUnknown, CommandRejected,
    CommandUnsupported, CommandFailed, CommandTimeout, Undelivered, InvalidRequest, AccessRefused, NoData, UnknownId,
    ServerTrouble, ConsentNeeded, ReceiverGone, ReceiverRefused, ForbiddenAddress, NeverSent, CertificateTrouble,
    OutcomeUnknown, Redirected, TooLate, Fenced, Crashed, Internal, Expired,
)  # fmt: skip
"""Every outcome there is."""

BY_NAME: dict[str, type[Outcome]] = {kind.error_class: kind for kind in ALL}
