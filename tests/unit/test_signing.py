"""Signatures: what we make is what the standard's own library makes and accepts."""

import json
from base64 import b64encode
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from worker.deliver.http_call import encoded
from worker.deliver.signing import signed

SECRETS = st.binary(min_size=24, max_size=64).map(lambda raw: f"whsec_{b64encode(raw).decode()}")
PLAIN = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text()
JSON = st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)
AT = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


@given(SECRETS, st.from_regex(r"[0-9a-z-]{1,40}\.c[1-9]", fullmatch=True), st.dictionaries(st.text(), JSON))
def test_our_signature_is_the_librarys(secret: str, message_id: str, message: dict[str, object]) -> None:
    body = encoded(message)
    made = signed(body, message_id, int(AT.timestamp()), [secret])
    assert made["webhook-signature"] == Webhook(secret).sign(message_id, AT, body.decode())
    assert (made["webhook-id"], made["webhook-timestamp"]) == (message_id, "1772366400")


def test_either_secret_of_a_rotation_checks_it_and_no_other_does() -> None:
    one, two, other = (f"whsec_{b64encode(bytes([n]) * 32).decode()}" for n in range(3))
    body, now = b'{"type":"job.done"}', int(datetime.now(UTC).timestamp())
    made = signed(body, "0-1.c1", now, [one, two])
    for secret in (one, two):
        assert Webhook(secret).verify(body, made) == json.loads(body)
    another, old = made | {"webhook-id": "0-1.c2"}, signed(body, "0-1.c1", 1, [one])
    for wrong, headers in ((other, made), (one, another), (one, old)):
        with pytest.raises(WebhookVerificationError):
            Webhook(wrong).verify(body, headers)


def test_half_a_pair_of_surrogates_can_be_signed_and_sent() -> None:
    assert json.loads(encoded({"a": "\ud800", "b": "ü"})) == {"a": "\ud800", "b": "ü"}
