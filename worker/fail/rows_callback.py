"""Fail: the table's rows for receivers of callbacks.

Promise: one row per answer that Standard Webhooks names, and one for everything else. Scope: data; read `row.py` for
the words. A callback may always be repeated: its receiver tells by `webhook-id` that it has had it.
"""

from worker.fail.row import (
    CLOSE_QUIETLY,
    DEAD_TELL,
    DONE,
    HOLD_BUDGET,
    PARK,
    RETRY,
    UNKNOWN,
    Row,
)

STANDARD = "Standard Webhooks: Webhook delivery"
OURS = "Paceline: Callbacks"

ROWS: tuple[Row, ...] = (
    Row(
        api="callback",
        sign="2xx",
        error_class="success",
        explanation="The receiver has it.",
        link=STANDARD,
        repeatable=DONE,
        unrepeatable=DONE,
    ),
    Row(
        api="callback",
        sign="410",
        error_class="receiver_gone",
        explanation="The receiver wants no callbacks any more.",
        link=STANDARD,
        repeatable=DEAD_TELL,
        unrepeatable=DEAD_TELL,
        alert="Tell the team behind the host, whose calls still name this address; or take the host from "
        "PACELINE_CALLBACKS__HOSTS.",
    ),
    Row(
        api="callback",
        sign="429",
        error_class="rate_limited",
        explanation="Too many at once for the receiver: its host gets none until the time it names, else by backoff.",
        link=STANDARD,
        repeatable=CLOSE_QUIETLY,
        unrepeatable=CLOSE_QUIETLY,
    ),
    Row(
        api="callback",
        sign="429 with a wait that cannot be obeyed",
        error_class="rate_limited",
        when="absurd wait",
        explanation="Too many at once for the receiver, and the wait is longer than an hour, or unreadable.",
        link=STANDARD,
        repeatable=HOLD_BUDGET,
        unrepeatable=HOLD_BUDGET,
        alert="Read Retry-After in the evidence and ask the team behind the host; release the budget when it is clear "
        "how long to wait.",
    ),
    Row(
        api="callback",
        sign="another 4xx",
        error_class="receiver_refused",
        explanation="The receiver does not take it; the same again would be refused again.",
        link=STANDARD,
        repeatable=DEAD_TELL,
        unrepeatable=DEAD_TELL,
        alert="401 or 403: compare PACELINE_CALLBACKS__SECRET with the receiver's. 404: the address is wrong. Then "
        "send the dead letters again.",
    ),
    Row(
        api="callback",
        sign="5xx, 408 or 425",
        error_class="server_trouble",
        explanation="The receiver or a gateway before it failed; it is told again.",
        link=STANDARD,
        repeatable=RETRY,
        unrepeatable=UNKNOWN,
        alert="The receiver has been in trouble for the whole life of a callback: tell the team behind the host, then "
        "send the dead letters again.",
    ),
    Row(
        api="callback",
        sign="503 with Retry-After",
        error_class="server_trouble",
        when="not executed",
        explanation="Not taken for now, with the time to come again.",
        link=STANDARD,
        repeatable=PARK,
        unrepeatable=PARK,
    ),
    Row(
        api="callback",
        sign="3xx",
        error_class="redirected",
        explanation="Redirects are not followed: they could lead to a host that nobody allowed.",
        link=OURS,
        repeatable=DEAD_TELL,
        unrepeatable=DEAD_TELL,
        alert="Have the calls name the final address; its host must be in PACELINE_CALLBACKS__HOSTS.",
    ),
    Row(
        api="callback",
        sign="another status",
        error_class="undocumented",
        explanation="A status no receiver should answer with.",
        link=STANDARD,
        repeatable=DEAD_TELL,
        unrepeatable=UNKNOWN,
        alert="Ask the team behind the host what answers there.",
    ),
)
