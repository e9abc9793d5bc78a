"""Fail: the table's rows for what can befall a call to either API.

Promise: one row per way a call can fail without an answer, and one for every outcome an API has no row of its own
for. Scope: data; read `row.py` for the words.
"""

from worker.fail.row import (
    DEAD_TELL,
    EXPIRED,
    HOLD_ACCOUNT,
    HOLD_LANE,
    REFUND,
    RETRY,
    UNKNOWN,
    Row,
)

WIRE = "Paceline: the path of a call"
STALE = "OCPI 2.2.1, part I chapter 4: Offline behaviour"

ROWS: tuple[Row, ...] = (
    Row(
        api="both",
        sign="refused, DNS, TLS handshake, pool time-out",
        error_class="never_sent",
        explanation="No byte of the request left us. The permit is given back; the attempt counts.",
        link=WIRE,
        repeatable=RETRY,
        unrepeatable=RETRY,
        alert="The API could not be reached for the whole life of a job: look at the network, the name and the "
        "base URL.",
    ),
    Row(
        api="both",
        sign="the name of a callback's host leads to a private address",
        error_class="forbidden_address",
        explanation="Nothing was sent: the name leads into our own network.",
        link=WIRE,
        repeatable=DEAD_TELL,
        unrepeatable=DEAD_TELL,
        alert="If the host is meant to be inside, name it in PACELINE_CALLBACKS__PRIVATE_HOSTS and send the dead "
        "letters again; otherwise find out who changed its name's address.",
    ),
    Row(
        api="both",
        sign="past send_by",
        error_class="too_late",
        explanation="The worker was held up after it took the permit; nothing was written, so nothing is counted.",
        link=WIRE,
        repeatable=REFUND,
        unrepeatable=REFUND,
    ),
    Row(
        api="both",
        sign="lease lost before the first byte",
        error_class="fenced",
        explanation="The worker was held up until its job was given to another one, or the store did not answer in "
        "time; nothing was written.",
        link=WIRE,
        repeatable=REFUND,
        unrepeatable=REFUND,
    ),
    Row(
        api="both",
        sign="certificate trouble",
        error_class="certificate_trouble",
        explanation="One side does not accept the other's certificate, or our files cannot be read. Waiting does not "
        "mend it.",
        link=WIRE,
        repeatable=HOLD_ACCOUNT,
        unrepeatable=HOLD_ACCOUNT,
        alert="Check the account's certificate, key and authority: missing, expired, or for another host. A "
        "replaced file is tried at once, by one call; otherwise release the account when it is mended.",
    ),
    Row(
        api="both",
        sign="time-out, reset or close after a byte was written; truncated, oversized, wrong type",
        error_class="outcome_unknown",
        explanation="The request, or a part of it, went out and no whole answer came back.",
        link=WIRE,
        repeatable=RETRY,
        unrepeatable=UNKNOWN,
        alert="Compare the failure in the evidence with the network and the gateways on the way. If it goes on, send "
        "the evidence to the API's support.",
    ),
    Row(
        api="both",
        sign="redirect",
        error_class="redirected",
        explanation="The address in the settings is not the API's. Redirects are not followed: credentials would go "
        "there.",
        link=WIRE,
        repeatable=DEAD_TELL,
        unrepeatable=DEAD_TELL,
        alert="Compare the base URL with the Location header in the evidence.",
    ),
    Row(
        api="both",
        sign="worker crashed three times, or while an unrepeatable call was on its way",
        error_class="crashed",
        explanation="Its worker ended while it had the call. What may be repeated is delivered again until the third "
        "crash; of a call that must not be, and had begun to be sent, nobody knows what became.",
        link=WIRE,
        repeatable=DEAD_TELL,
        unrepeatable=UNKNOWN,
        alert="Look for what kills the worker with this job: memory, a stop without grace, a bug.",
    ),
    Row(
        api="both",
        sign="worker crashed before it sent",
        error_class="crashed",
        when="not executed",
        explanation="Nothing went out; the third crash ends it.",
        link=WIRE,
        repeatable=DEAD_TELL,
        unrepeatable=DEAD_TELL,
        alert="Look for what kills the worker with this job: memory, a stop without grace, a bug.",
    ),
    Row(
        api="both",
        sign="past its deadline",
        error_class="expired",
        explanation="Too old to be sent: a stale request can do harm. Never sent.",
        link=STALE,
        repeatable=EXPIRED,
        unrepeatable=EXPIRED,
    ),
    Row(
        api="both",
        sign="many dead letters of one problem in a short time",
        error_class="brake",
        explanation="A bad deploy or a changed contract: the lane stops before it turns every job into a dead letter.",
        link=WIRE,
        repeatable=HOLD_LANE,
        unrepeatable=HOLD_LANE,
        alert="Read the problem, mend its cause, release the lane, send the dead letters again.",
    ),
    Row(
        api="both",
        sign="no decision, broken middleware, refused script",
        error_class="internal",
        explanation="A mistake in this project. The job is never taken for done.",
        link=WIRE,
        repeatable=DEAD_TELL,
        unrepeatable=DEAD_TELL,
        alert="Report it with the evidence of its dead letter, which says whether the call was made.",
    ),
)
