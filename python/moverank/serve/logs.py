"""Configuration of the log."""

from __future__ import annotations

from typing import Any


def configuration(form: str) -> dict[str, Any]:
    """Configuration for `logging.config`: one line per request on standard error, for people or as JSON."""
    formatter = {"json": {"()": "moverank.serve.limits.JsonLines"}, "text": {"()": "moverank.serve.limits.Lines"}}
    to_stderr = {"class": "logging.StreamHandler", "formatter": form, "stream": "ext://sys.stderr"}
    loggers = ("moverank.serve", "uvicorn", "uvicorn.error")
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {form: formatter[form]},
        "handlers": {"stderr": to_stderr},
        "loggers": {name: {"handlers": ["stderr"], "level": "INFO", "propagate": False} for name in loggers},
    }
