"""The one door: secrets in no form, personal data masked, unknown fields hidden, useful facts kept."""

import base64
import hashlib
import json
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tasks  # noqa: F401
from worker.observe.redact import HIDDEN, PREVIEW_BYTES, Redactor

SECRET = 'tok&en/"9f+=ü-long'
PASSWORD = "hunter2!"
BASIC = base64.b64encode(f"MZP1:{PASSWORD}".encode()).decode()
VIN = "VF3ABCDEF12345678"
FORMS = [
    SECRET,
    quote(SECRET, safe=""),
    json.dumps(SECRET)[1:-1],
    json.dumps(SECRET, ensure_ascii=False)[1:-1],
    base64.b64encode(SECRET.encode()).decode(),
    base64.b64encode(SECRET.encode()).decode().rstrip("="),
    base64.urlsafe_b64encode(SECRET.encode()).decode(),
    PASSWORD,
    BASIC,
]


@pytest.fixture
def redactor() -> Redactor:
    return Redactor(lambda: [SECRET, PASSWORD, BASIC])


@pytest.mark.parametrize("form", FORMS)
def test_a_known_secret_is_masked_in_every_form_and_place(redactor: Redactor, form: str) -> None:
    shown = [
        redactor.redact_text(f"before {form} after"),
        str(redactor.redact_headers([("Server", f"x {form}"), ("Link", f"<https://h/{form}?a={form}>; rel=next")])),
        redactor.redact_url(f"https://h/a/{form}?offset={form}"),
        redactor.redact_body(json.dumps({"message": form, form: 1, "other": form}).encode(), "application/json")[
            "preview"
        ],
        redactor.redact_body(f"<p>{form}</p>".encode(), "text/html")["preview"],
        redactor.redact_body(f'{{"message": "{form}'.encode(), "application/json")["preview"],
    ]
    for text in shown:
        assert form not in text


@settings(max_examples=100)
@given(st.integers(0, 40_000), st.sampled_from(FORMS))
def test_a_secret_at_any_place_of_a_long_body_is_not_cut_into_view(position: int, form: str) -> None:
    body = (b"x" * position + form.encode() + b"y" * 20_000, b"z" * 10)
    preview = Redactor(lambda: [SECRET, PASSWORD, BASIC]).redact_body(body[0], "text/plain")["preview"]
    assert form[:6] not in preview


def test_a_secret_that_changes_is_masked_from_then_on() -> None:
    secrets = ["first-secret"]
    redactor = Redactor(lambda: secrets)
    assert redactor.redact_text("second-secret") == "second-secret"
    secrets.append("second-secret")
    assert redactor.redact_text("first-secret second-secret") == f"{HIDDEN} {HIDDEN}"


def test_an_unknown_credential_is_masked_by_its_scheme_and_a_sentence_is_not(redactor: Redactor) -> None:
    assert "abc123def" not in redactor.redact_text("Authorization: Token abc123def")
    assert "dXNlcjpwYXNz" not in redactor.redact_text("basic dXNlcjpwYXNzd29yZHdpdGhvdXQ")
    assert redactor.redact_text("Invalid token provided") == "Invalid token provided"
    assert redactor.redact_text("https://user:pw@host/") == f"https://{HIDDEN}@host/"


def test_only_harmless_headers_are_shown(redactor: Redactor) -> None:
    shown = redactor.redact_headers(
        [
            ("Authorization", "Token unknown"),
            ("X-Api-Key", "k"),
            ("Set-Cookie", "a=b"),
            ("X-Request-ID", "r-1"),
            ("X-RateLimit-Remaining-1", "5"),
            ("X-RateLimit-Remaining-1", "6"),
            ("Location", "https://u:p@h/x?code=1"),
            ("Retry-After", "7"),
        ]
    )
    assert shown == {
        "authorization": HIDDEN,
        "x-request-id": "r-1",
        "x-ratelimit-remaining-1": "5, 6",
        "location": f"https://h/x?code={HIDDEN}",
        "retry-after": "7",
    }


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://h:8443/fleets/f1/vehicles?client_id=abc&pageSize=60", "https://h:8443/fleets/f1/vehicles?client_id=[hidden]&pageSize=60"),
        ("https://h/ocpi/2.2.1/tokens/IN/ABC/0123456789ABCDEF/authorize", "https://h/ocpi/2.2.1/tokens/IN/ABC/…CDEF/authorize"),
        (f"https://h/vehicles/{VIN}", "https://h/vehicles/…5678"),
        ("https://me/v1/command-results/j1/s3cr3t", "https://me/v1/command-results/j1/[hidden]"),
        ("http://[::1]:80/a#frag", "http://[::1]:80/a"),
        ("http://[broken", HIDDEN),
    ],
)  # fmt: skip
def test_a_url_keeps_its_shape_and_loses_what_is_private(redactor: Redactor, url: str, shown: str) -> None:
    assert redactor.redact_url(url) == shown


def test_a_body_keeps_what_helps_and_hides_everything_else(redactor: Redactor) -> None:
    body = {
        "status_code": 2003,
        "status_message": "no such thing",
        "data": {
            "location_id": "LOC1",
            "token": {
                "uid": "0123456789ABCDEF",
                "type": "RFID",
                "contract_id": "IN-ABC-C1",
                "password": "longpassword",
            },
            "response_url": "https://me/v1/command-results/j1/s3cr3t",
            "vin": VIN,
            "lastPosition": {"geometry": {"coordinates": [2.35, 48.85]}, "type": "Feature"},
            "battery": {"level": 80, "text": "somewhat private"},
            "ok": True,
        },
    }
    preview = json.loads(redactor.redact_body(json.dumps(body).encode(), "application/json")["preview"])
    assert preview == {
        "status_code": 2003,
        "status_message": "no such thing",
        "data": {
            "location_id": "LOC1",
            "token": {"uid": "…CDEF", "type": "…", "contract_id": "…C1", "password": HIDDEN},
            "response_url": "https://me/v1/command-results/j1/[hidden]",
            "vin": "…5678",
            "lastPosition": {"geometry": {"coordinates": [HIDDEN, HIDDEN]}, "type": "…re"},
            "battery": {"level": HIDDEN, "text": "…vate"},
            "ok": True,
        },
    }


def test_what_a_call_was_asked_with_shows_the_values_that_the_catalogue_names() -> None:
    redactor = Redactor(list)
    asked = {
        "door": {"state": "Locked"}, "token": {"uid": "0123456789ABCDEF", "type": "RFID", "whitelist": "NEVER"},
        "extension": ["location", "Locked"], "state": "Somewhere", "issuer": "Locked", "secret": "Locked",
    }  # fmt: skip
    shown = {
        "door": {"state": "Locked"}, "token": {"uid": "…CDEF", "type": "RFID", "whitelist": "NEVER"},
        "extension": ["location", "…ed"], "state": "…re", "issuer": "…ed", "secret": HIDDEN,
    }  # fmt: skip
    assert redactor.redact_value(asked, asked=True) == shown
    body = redactor.redact_body(json.dumps(asked).encode(), "application/json", asked=True)
    assert json.loads(body["preview"]) == shown
    assert redactor.redact_value(asked)["door"] == {"state": "…ed"}, "what a car answers about itself stays its own"


def test_no_credential_is_a_value_that_the_catalogue_names() -> None:
    assert Redactor(lambda: ["Unlocked"]).redact_value({"state": "Unlocked"}, asked=True) == {"state": HIDDEN}


def test_a_credentials_token_is_hidden_whatever_the_settings() -> None:
    for personal in ("mask", "show"):
        redactor = Redactor(list, personal)
        preview = redactor.redact_body(b'{"token": "0123456789", "url": "https://h/x"}', "application/json")["preview"]
        assert json.loads(preview) == {"token": HIDDEN, "url": "https://h/x"}


def test_personal_data_is_shown_where_the_settings_ask_for_it() -> None:
    redactor = Redactor(lambda: [SECRET], "show")
    body = {"vin": VIN, "position": [1.5], "note": f"{SECRET} me@example.org"}
    preview = redactor.redact_body(json.dumps(body).encode(), "application/json")["preview"]
    assert json.loads(preview) == {"vin": VIN, "position": [1.5], "note": f"{HIDDEN} me@example.org"}


def test_json_that_was_cut_off_is_masked_field_by_field(redactor: Redactor) -> None:
    cut = b'{"status_message": "fine", "uid": "0123456789ABCDEF", "coordinates": [2.35, 48.85], "level": 80, "x": "A'
    preview = redactor.redact_body(cut, "application/json")["preview"]
    for private in ("0123456789", "48.85", "80", '"A'):
        assert private not in preview
    assert '"status_message": "fine"' in preview


def test_free_text_loses_people_and_cars(redactor: Redactor) -> None:
    text = redactor.redact_text(f"car {VIN} of ann@example.org, call +91 98765 43210")
    assert text == "car …5678 of ….org, call …3210"


def test_a_body_has_a_bounded_preview_and_the_length_and_hash_of_the_whole(redactor: Redactor) -> None:
    body = "ü".encode() * 50_000
    shown = redactor.redact_body(body, "text/plain")
    assert len(shown["preview"].encode()) <= PREVIEW_BYTES
    assert (shown["length"], shown["sha256"]) == (100_000, hashlib.sha256(body).hexdigest())
    assert redactor.redact_body(b"", None)["preview"] == ""
    assert redactor.redact_body(b"\x1f\x8b\0\0", "application/octet-stream")["preview"] == "[binary]"


@settings(max_examples=150)
@given(st.binary(max_size=300), st.sampled_from(["application/json", "text/html", "", "image/png"]))
def test_any_bytes_have_a_preview(body: bytes, content_type: str) -> None:
    assert Redactor(lambda: [SECRET]).redact_body(body, content_type)["length"] == len(body)


@pytest.mark.parametrize("length", [6, 9, 15])
def test_a_secret_that_was_cut_in_two_is_hidden_as_far_as_it_is_left(length: int) -> None:
    redactor = Redactor(lambda: ["tele-scope/1"])
    for form in ("tele-scope/1", "tele-scope%2F1", "dGVsZS1zY29wZS8x"):
        shown = redactor.redact_text(f"said {form[:length]}… and on")
        assert shown == f"said {HIDDEN}… and on" if length < len(form) else form[:length] not in shown
    assert redactor.redact_text("a tele… is no stump of four, a telephone… none at all") == (
        f"a {HIDDEN}… is no stump of four, a telephone… none at all"
    )
    assert redactor.redact_headers({"Server": "x" * 1019 + "tele-scope/1"})["server"] == "x" * 1019 + HIDDEN + "…"


def test_a_result_loses_our_secrets_and_nothing_else() -> None:
    redactor = Redactor(lambda: ["tele-scope/1"])
    value = {"vin": VIN, "a tele-scope/1": ["tele-scope/1", 1.5, None, True], "position": {"lat": 48.85}}
    assert redactor.without_secrets(value) == {
        "vin": VIN, f"a {HIDDEN}": [HIDDEN, 1.5, None, True], "position": {"lat": 48.85},
    }  # fmt: skip
    unharmed = {"vin": VIN}
    assert redactor.without_secrets(unharmed) is unharmed


def test_whom_a_call_names_is_masked_in_every_text_while_it_is_in_hand() -> None:
    redactor = Redactor(list)
    call = {"params": {"token_uid": "0123456789ABCD", "location_id": "LOC-0001"}, "body": {"token": {"uid": "SHORT"}}}
    said = "no card 0123456789ABCD at LOC-0001, SHORT"
    assert redactor.redact_text(said) == said
    redactor.attend(call)
    assert redactor.redact_text(said) == "no card …ABCD at LOC-0001, SHORT"
    redactor.attend(None)
    assert redactor.redact_text(said) == said
    showing = Redactor(list, "show")
    showing.attend(call)
    assert showing.redact_text(said) == said


def test_what_a_cut_leaves_of_an_address_or_a_number_is_masked_too(redactor: Redactor) -> None:
    for whole in ("asha.77019@drivers.example", VIN, "+91 98200 77019"):
        for length in range(8, len(whole)):
            assert whole[:8] not in redactor.redact_text(f"ask {whole[:length]}…")
    assert redactor.redact_text("the quota is excee…") == "the quota is excee…"


def test_json_quoted_in_a_text_shows_nobody(redactor: Redactor) -> None:
    said = 'odd: {"uid": "04AF3C219B77D0", "latitude": 48.85837, "coordinates": [2.29, 48.85], "step": "two"}'
    assert redactor.redact_text(said) == (
        'odd: {"uid": "…77D0", "latitude": "[hidden]", "coordinates": ["[hidden]", "[hidden]"], "step": "two"}'
    )
    assert "48.85837" in Redactor(list, "show").redact_text(said)


def test_addresses_and_cards_in_a_path_are_masked_and_a_link_that_was_cut_is_still_a_link(redactor: Redactor) -> None:
    redactor.attend({"uid": "04AF3C219B77D0"})
    shown = redactor.redact_url("https://h/of/asha%40drivers.example/04AF3C219B77D0/x")
    assert shown == "https://h/of/…mple/…77D0/x"
    redactor.attend(None)
    shown = redactor.redact_headers([("Link", f"<https://h/a%20{VIN}%20b?code=hush{'x' * 2000}")])["link"]
    assert (VIN in shown, "hush" in shown) == (False, False)
