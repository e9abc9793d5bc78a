"""What others write by Python's own logging, as any handler then shows it."""

import logging
from collections.abc import Iterator
from io import StringIO

import pytest

from worker.observe.records import redact_records
from worker.observe.redact import HIDDEN, Redactor

SECRET = "s3cret/of-ours"


@pytest.fixture
def shown() -> Iterator[StringIO]:
    before = logging.getLogRecordFactory()
    redact_records(Redactor(lambda: (SECRET,)))
    text = StringIO()
    handler = logging.StreamHandler(text)
    somebody.addHandler(handler)
    yield text
    somebody.removeHandler(handler)
    logging.setLogRecordFactory(before)


somebody = logging.getLogger("somebody.else")


class Speaking:
    def __str__(self) -> str:
        return f"it is {SECRET}"


@pytest.mark.parametrize(
    ("message", "args", "said"),
    [
        (f"here: {SECRET}", (), f"here: {HIDDEN}"),
        ("here: %s, %d", (SECRET, 3), f"here: {HIDDEN}, 3"),
        ("%(who)s", ({"who": SECRET},), HIDDEN),
        ("%s", (Speaking(),), f"it is {HIDDEN}"),
        ("%s and %s", (Speaking(),), "%s and %s"),
        ("100 %", (), "100 %"),
    ],
)
def test_a_message_is_redacted_however_it_is_put_together(
    shown: StringIO, message: str, args: tuple[object, ...], said: str
) -> None:
    somebody.warning(message, *args)
    assert shown.getvalue() == f"{said}\n"


def test_a_traceback_is_redacted_with_all_its_causes(shown: StringIO) -> None:
    try:
        try:
            raise KeyError(SECRET)
        except KeyError as error:
            raise ValueError(f"because of {SECRET}") from error
    except ValueError:
        somebody.exception("it broke", stack_info=True)
    assert SECRET not in shown.getvalue()
    assert "Traceback" in shown.getvalue()
    assert f"ValueError: because of {HIDDEN}" in shown.getvalue()


def test_plain_arguments_stay_apart_for_those_who_read_them(shown: StringIO) -> None:
    record = somebody.makeRecord(
        "access", logging.INFO, "", 1, '%s - "%s" %d', ("127.0.0.1", f"GET /{SECRET}", 200), None
    )
    assert record.args == ("127.0.0.1", f"GET /{HIDDEN}", 200)
