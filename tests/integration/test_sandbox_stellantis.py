"""The simulated Stellantis Web API: credentials, error shapes, magic cars, paging, remote actions, TLS."""

import datetime
import http.client
import ipaddress
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.integration.sandbox_caller import BASIC, CLIENT, Caller
from worker.sandbox.server import Sandbox

REMOTES = "/fleets/FLEET-1/vehicles/VEH-00001/callbacks/CB-1/remotes"


@pytest.fixture
def caller(sandbox: Sandbox) -> Caller:
    return Caller(sandbox)


def test_a_status_read_tells_both_windows(caller: Caller) -> None:
    answer = caller.status()
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/hal+json"
    told = {name: value for name, value in answer.headers.items() if name.startswith("X-RateLimit")}
    assert told == {
        "X-RateLimit-Limit-1": "100000",
        "X-RateLimit-Remaining-1": "99999",
        "X-RateLimit-Limit-2": "100",
        "X-RateLimit-Remaining-2": "99",
    }


def test_the_observed_gateway_names_its_headers_without_a_suffix(caller: Caller) -> None:
    caller.sandbox.config({"stellantis.headers": "plain"})
    assert caller.status().headers["X-RateLimit-Remaining"] == "99"
    caller.sandbox.config({"stellantis.headers": "none"})
    assert not any(name.startswith("X-RateLimit") for name in caller.status().headers)


@pytest.mark.parametrize("query", ["", "?client_id=another"])
def test_the_client_id_must_fit_the_password(caller: Caller, query: str) -> None:
    answer = caller.call("GET", f"{caller.sandbox.stellantis_url}/fleets{query}", Authorization=BASIC)
    assert answer.status == 401
    assert answer.json["httpCode"] == "401"


@pytest.mark.parametrize(
    ("shape", "sign"),
    [
        ("standard", b'"uuid"'),
        ("legacy", b'"debug"'),
        ("gateway", b'"moreInformation"'),
        ("oauth", b'"error_description"'),
        ("named", b'"ERROR_'),
        ("html", b"<html>"),
    ],
)
def test_errors_come_in_all_six_shapes(caller: Caller, shape: str, sign: bytes) -> None:
    caller.sandbox.config({"stellantis.error_shape": shape})
    answer = caller.status("FORBIDDEN-1")
    assert answer.status == 403
    assert sign in answer.body


def test_the_documented_error_has_the_documented_fields(caller: Caller) -> None:
    assert set(caller.status("NODATA-1").json) == {"code", "uuid", "message", "timestamp"}


@pytest.mark.parametrize(
    ("vid", "status", "code"),
    [
        ("FORBIDDEN-1", 403, 40300),
        ("NODATA-1", 404, 40499),
        ("NOSTATUS-1", 404, 40400),
        ("NOVEHICLE-1", 404, 40410),
        ("BADID-1", 400, 40000),
        ("CONSENT-1", 500, 50000),
        ("BROKEN-1", 500, 50001),
    ],
)
def test_the_id_of_a_car_chooses_its_trouble(caller: Caller, vid: str, status: int, code: int) -> None:
    answer = caller.status(vid)
    assert (answer.status, answer.json["code"]) == (status, code)


def test_an_unknown_id_and_a_wrong_path_carry_no_code_of_the_api(caller: Caller) -> None:
    answers = [caller.status("UNKNOWN-1"), caller.car("/fleet/typo")]
    assert [(one.status, "code" in one.json) for one in answers] == [(404, False), (404, False)]


def test_a_collection_is_followed_by_its_next_links(caller: Caller) -> None:
    url: str | None = f"{caller.sandbox.stellantis_url}/fleets/FLEET-1/vehicles?pageSize=60"
    names: list[str] = []
    while url:
        page = caller.call("GET", f"{url}&{CLIENT}", Authorization=BASIC).json
        assert page["total"] == 130
        names += [car["id"] for car in page["_embedded"]["vehicles"]]
        url = page["_links"].get("next", {}).get("href")
        assert url is None or ("pageToken=" in url and "client_id" not in url)
    assert names == [f"VEH-{number:05d}" for number in range(1, 131)]


@pytest.mark.parametrize("query", ["pageSize=61", "pageSize=0", "pageSize=x", "pageToken=bm9wZQ"])
def test_a_page_size_out_of_range_is_an_invalid_request(caller: Caller, query: str) -> None:
    assert caller.car(f"/fleets?{query}").status == 400


@pytest.mark.parametrize("part", ["telemetry", "trips", "maintenance", "lastPosition", "alerts", "collisions"])
def test_the_parts_of_a_car_can_be_read(caller: Caller, part: str) -> None:
    assert caller.car(f"/fleets/FLEET-1/vehicles/VEH-00001/{part}").status == 200


def test_a_remote_action_is_accepted_and_found_again(caller: Caller) -> None:
    sent = caller.car(REMOTES, "POST", {"label": "r", "door": {"state": "Unlocked"}})
    assert (sent.status, sent.json["type"]) == (202, "Doors")
    rid = sent.json["remoteActionId"]
    listed = caller.car(REMOTES).json["_embedded"]["remoteActions"]
    assert [one["remoteActionId"] for one in listed] == [rid]
    assert caller.car(f"{REMOTES}/{rid}").json["status"] == "Success"


def test_a_remote_action_of_two_kinds_is_invalid_and_not_carried_out(caller: Caller) -> None:
    assert caller.car(REMOTES, "POST", {"door": {}, "horn": {}}).status == 400
    assert caller.sandbox.records()["remotes"] == []


def test_callbacks_answer_with_the_statuses_of_the_api_file(caller: Caller) -> None:
    made = caller.car("/fleets/FLEET-1/remote/callbacks", "POST", {"label": "c"})
    one = f"/fleets/FLEET-1/remote/callbacks/{made.json['callbackId']}"
    assert [made.status, caller.car(one).status, caller.car(one, "DELETE").status] == [200, 200, 204]


def _certificates(folder: Path) -> dict[str, str]:
    """An authority, a server and a client certificate, for an hour."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    authority = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sandbox authority")])

    def certify(name: x509.Name, public: ec.EllipticCurvePublicKey, is_authority: bool) -> x509.Certificate:
        there = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(authority)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=5))
            .not_valid_after(now + datetime.timedelta(hours=1))
            .add_extension(there, critical=False)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )

    paths = {"ca": str(folder / "ca.pem")}
    Path(paths["ca"]).write_bytes(certify(authority, key.public_key(), True).public_bytes(serialization.Encoding.PEM))
    for who in ("server", "client"):
        own = ec.generate_private_key(ec.SECP256R1())
        certificate = certify(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, who)]), own.public_key(), False)
        private = own.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        paths[who] = str(folder / f"{who}.pem")
        Path(paths[who]).write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return paths


def test_with_an_authority_only_a_client_with_a_certificate_gets_in(tmp_path: Path) -> None:
    paths = _certificates(tmp_path)
    with Sandbox(tls_cert=paths["server"], tls_ca=paths["ca"]) as sandbox:
        assert sandbox.stellantis_url.startswith("https://")

        def read(certificate: str | None) -> int:
            context = ssl.create_default_context(cafile=paths["ca"])
            if certificate:
                context.load_cert_chain(certificate)
            connection = http.client.HTTPSConnection("127.0.0.1", sandbox.ports["stellantis"], context=context)
            try:
                connection.request("GET", f"/connectedcar/v3/fleets?{CLIENT}", headers={"Authorization": BASIC})
                return connection.getresponse().status
            finally:
                connection.close()

        assert read(paths["client"]) == 200
        with pytest.raises((ssl.SSLError, ConnectionError)):
            read(None)
