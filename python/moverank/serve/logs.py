"""The log: its lines, and its configuration."""

from __future__ import annotations

import json
import logging
import re
import time
from typing import Any

#: What JSON leaves as it is, and terminals obey or take for the end of a line.
_CONTROLS = re.compile("[\x7f-\x9f\u2028\u2029]")


def configuration(form: str) -> dict[str, Any]:
    """Configuration for `logging.config`: one line per request on standard error, for people or as JSON."""
    formatter = {"json": {"()": "moverank.serve.logs.JsonLines"}, "text": {"()": "moverank.serve.logs.Lines"}}
    to_stderr = {"class": "logging.StreamHandler", "formatter": form, "stream": "ext://sys.stderr"}
    loggers = ("moverank.serve", "uvicorn", "uvicorn.error")
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {form: formatter[form]},
        "handlers": {"stderr": to_stderr},
        "loggers": {name: {"handlers": ["stderr"], "level": "INFO", "propagate": False} for name in loggers},
    }


class JsonLines(logging.Formatter):
    """Log records as lines of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        facts: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03}Z",
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **getattr(record, "facts", {}),
        }
        if record.exc_info:
            facts["error"] = self.formatException(record.exc_info)
        return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(facts, ensure_ascii=False))


class Lines(logging.Formatter):
    """Log records as lines for people, in which clients cannot write lines of their own.

    An error has several; all but the first are indented.
    """

    def format(self, record: logging.LogRecord) -> str:
        """One line, but for errors."""
        told = self._told(record)
        return "\n  ".join(map(_printable, told.split("\n"))) if record.exc_info else _printable(told)

    def _told(self, record: logging.LogRecord) -> str:
        facts = getattr(record, "facts", None)
        if facts is None:
            return super().format(record)
        if "status" not in facts:
            said = " ".join(f"{name} {own}" for name, own in facts.items())
            return f"{super().format(record)} {said}"
        stages = " ".join(f"{name} {own}" for name, own in facts["stages"].items())
        return f"{facts['status']} {facts['method']} {facts['path']} {facts['ms']} ms {stages}".rstrip()


def _printable(text: str) -> str:
    """The same with control characters as escapes."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
