"""Observe: what any code writes by Python's own logging, redacted before a handler can print it.

Promise: texts and tracebacks of every record of this process go through the redactor, whoever wrote them and whichever
handler prints them: dramatiq shows an unexpected exception with its whole text, and that may quote a request. Scope:
records of `logging`; our own lines are made by `log.py`.
"""

import logging
from typing import Any

from worker.observe.redact import Redactor

_PLAIN = (str, int, float, bool, type(None))
_formatter = logging.Formatter()


def redact_records(redactor: Redactor) -> None:
    """From now on, for this process. The latest redactor counts."""

    def make(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = logging.LogRecord(*args, **kwargs)
        _redact_message(record, redactor)
        if record.exc_info and record.exc_info[0] is not None:
            # A formatter shows this text where it is set, and asks for the exception only where it is not.
            record.exc_text = redactor.redact_text(_formatter.formatException(record.exc_info))
        if record.stack_info:
            record.stack_info = redactor.redact_text(record.stack_info)
        return record

    logging.setLogRecordFactory(make)


def _redact_message(record: logging.LogRecord, redactor: Redactor) -> None:
    """In one piece; where the arguments are plain they stay apart, since some formatters read them one by one."""
    args = record.args
    if isinstance(args, tuple) and all(isinstance(arg, _PLAIN) for arg in args):
        record.msg = redactor.redact_text(str(record.msg))
        record.args = tuple(redactor.redact_text(arg) if isinstance(arg, str) else arg for arg in args)
        return
    try:
        said = record.getMessage()
    except (TypeError, ValueError, KeyError):
        said = str(record.msg)
    record.msg, record.args = redactor.redact_text(said), ()
