"""Where a callback may go: only to hosts that the settings name, over TLS, and nowhere a trick could lead to."""

import json
from typing import Any

import pytest

from settings import Settings, load
from worker.accept.callback import checked_url, prepared
from worker.deliver.resolver import is_public
from worker.errors import Refused

KEY = "whsec_Y2FsbGJhY2tzIGFyZSBzaWduZWQgd2l0aCBpdA=="
HOSTS = ["hooks.example.com", "hooks.example.com:8443", "localhost:9000", "10.0.0.5", "[2001:db8::5]:9000"]


def settings_of(*hosts: str, **more: str) -> Settings:
    own = {"HOSTS": json.dumps(hosts), "SECRET": KEY, **more}
    return load({"PACELINE_ENVIRONMENT": "test"} | {f"PACELINE_CALLBACKS__{name}": text for name, text in own.items()})


SETTINGS = settings_of(*HOSTS)


@pytest.mark.parametrize(
    ("url", "account", "called"),
    [
        ("https://hooks.example.com/a?b=c", "hooks.example.com", "https://hooks.example.com/a?b=c"),
        ("https://Hooks.Example.COM:443", "hooks.example.com", "https://hooks.example.com/"),
        ("https://hooks.example.com:8443/x", "hooks.example.com:8443", "https://hooks.example.com:8443/x"),
        ("http://localhost:9000/", "localhost:9000", "http://localhost:9000/"),
        ("https://localhost:9000/", "localhost:9000", "https://localhost:9000/"),
        ("https://10.0.0.5/", "10.0.0.5", "https://10.0.0.5/"),
        ("https://[2001:DB8:0::5]:9000/", "[2001:db8::5]:9000", "https://[2001:db8::5]:9000/"),
        ("https://hooks.example.com/@a:b", "hooks.example.com", "https://hooks.example.com/@a:b"),
    ],
)
def test_an_address_at_a_named_host_is_called_as_it_was_meant(url: str, account: str, called: str) -> None:
    assert checked_url("x.y", url, SETTINGS) == (f"callback:{account}", called)


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/", "https://hooks.example.com.evil.example/", "https://evil.example/hooks.example.com",
        "https://hooks.example.com:444/", "https://sub.hooks.example.com/", "https://hooks.example.com@evil.example/",
        "https://evil.example#@hooks.example.com/", "https://evil.example\\@hooks.example.com/",
        "https://hooks.example.com\\.evil.example/", "https://127.0.0.1/", "https://localhost/", "https://[::1]/",
        "https://2130706433/", "https://0x7f000001/", "https://[::ffff:127.0.0.1]/", "https://169.254.169.254/latest/",
        "https://hooks.example.com%2eevil.example/", "https://h\u043eoks.example.com/", "https:///hooks.example.com/",
        "https:hooks.example.com", "//hooks.example.com/", "hooks.example.com", "https://hooks.example.com./",
        "https://hooks.example.com:0/", "https://hooks.example.com:99999/", "https://hooks.example.com:x/",
    ],
)  # fmt: skip
def test_an_address_anywhere_else_is_refused(url: str) -> None:
    with pytest.raises(Refused, match="callback_url"):
        checked_url("x.y", url, SETTINGS)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://hooks.example.com/", "expected callback_url to be an https address"),
        ("ftp://hooks.example.com/", "expected callback_url to be an https address"),
        ("https://user:pass-word@hooks.example.com/", "without a user name or password"),
        ("https://@hooks.example.com/", "without a user name or password"),
        ("https://hooks.example.com/#part", "without a fragment"),
        ("https://hooks.example.com/a b", "visible characters"),
        ("https://hooks.example.com/\r\nx: y", "visible characters"),
        ("https://hooks.example.com/%zz", "visible characters"),
        ("https://hooks.example.com/" + "a" * 2000, "at most 2000"),
        ("", "visible characters"),
        (7, "visible characters"),
    ],
)
def test_what_is_wrong_with_an_address_is_said_without_repeating_it(url: Any, said: str) -> None:
    with pytest.raises(Refused, match=said) as refused:
        checked_url("x.y", url, SETTINGS)
    assert "pass-word" not in str(refused.value)


def test_a_host_that_nobody_named_is_answered_with_those_that_are() -> None:
    with pytest.raises(Refused, match=r"hooks\.example\.com, .*, got 'evil\.example'; have it named in PACELINE_CALL"):
        checked_url("x.y", "https://evil.example/secret-path", SETTINGS)


def test_without_a_named_host_nothing_is_accepted() -> None:
    with pytest.raises(Refused, match="no host may be called back"):
        checked_url("x.y", "https://hooks.example.com/", load({"PACELINE_ENVIRONMENT": "test"}))


@pytest.mark.parametrize("key", [None, "plain", '"},"ended":{"job":"0-x"', "ünïcode \\ \"quoted\"", "@ID@ %s {0}"])
def test_what_the_store_puts_together_is_a_whole_message_whatever_the_callers_key_is(key: str | None) -> None:
    url = "https://hooks.example.com/a"
    facts = json.loads(prepared("x.y", url, SETTINGS, key=key, priority=0, trace=None))
    before, between, after = facts["text"]
    message = json.loads(f'{before}{{"job":"0-1"}}{between}0-1.c1{after}')
    assert message["message_id"] == "0-1.c1"
    assert message["kwargs"]["params"] == {"callback_url": url, "key": key, "ended": {"job": "0-1"}}
    assert (facts["acct"], facts["prio"], facts["dl"]) == ("callback:hooks.example.com", 1, 86_400_000_000)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "64:ff9b::5db8:d822"])
def test_an_address_out_there_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.1.2.3", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
        "224.0.0.1", "255.255.255.255", "240.0.0.1", "192.0.2.1", "::1", "::", "fe80::1%eth0", "fd00::1", "ff02::1",
        "::ffff:10.0.0.1", "2002:0a00:0001::", "64:ff9b::a00:1", "64:ff9b::7f00:1", "2001:db8::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    ],
)  # fmt: skip
def test_an_address_of_our_own_or_of_nobody_is_not_public(address: str) -> None:
    assert not is_public(address)
