"""Observe: the lists the redactor goes by.

Promise: what is not named here is hidden. Scope: data; names are in lower case.
"""

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


HEADERS = _words(
    "accept accept-encoding allow connection content-encoding content-length content-type date host link location "
    "retry-after server traceparent transfer-encoding user-agent via www-authenticate x-backside-transport "
    "x-correlation-id x-global-transaction-id x-limit x-request-id x-total-count webhook-id webhook-timestamp"
)
HEADER_FAMILIES = re.compile(r"(x-)?ratelimit-[a-z0-9-]+|ocpi-(to|from)-(country-code|party-id)$")
HEADERS_WITH_URLS = frozenset({"link", "location"})

QUERY = _words("offset limit date_from date_to pageSize pageToken indexRange timestamps profile locale extension type")

FIELDS = _words(
    # envelopes and errors
    "status_code status_message timestamp code uuid message moreinformation httpcode httpmessage error "
    "error_description debug "
    # answers and commands
    "allowed result timeout connector_id evse_uid evse_uids location_id session_id reservation_id tariff_id "
    "expiry_date authorization_reference remoteactionid type "
    # registration and connection
    "version identifier role roles status country_code party_id last_updated token_type whitelist valid currency "
    # paging
    "total totalpage currentpage no_data offset limit date_from date_to pagesize pagetoken indexrange "
    # the state of a car that says nothing of where or whose it is
    "createdat updatedat"
)

URLS = frozenset({"response_url", "url", "href"})

PERSONAL = _words(
    "token cdr_token uid contract_id token_uid vin visual_number issuer group_id position lastposition geometry "
    "coordinates latitude longitude lat lon driver drivers phone phonenumber email licenceplate licenseplate plate "
    "license_plate registration address owner user"
)
"""Groups of fields that are masked whole: whatever stands in them says who or where."""

SECRET = _words(
    "token password secret client_id client_secret access_token refresh_token authorization api_key apikey "
    "id_token private_key callback_url"
)
"""Never shown, whatever the settings. `token` is here as a value; as an object (a driver's card) it is personal."""

TEXT_TYPES = re.compile(r"json|text|xml|html|x-www-form-urlencoded", re.IGNORECASE)
