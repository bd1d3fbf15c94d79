"""How the server's log is written: for people, or for programs. No line of either holds the text of an exception."""

import json
import logging
import traceback
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Literal

from umbra.core.request import UNDER_WAY

Format = Literal["plain", "json"]

FIELDS = "fields"
"""The attribute of a record that holds what it says besides its message, by name."""

TRACEBACK = "traceback"

_Raised = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class Plain(logging.Formatter):
    """A line for people, with the id of the request that it belongs to; the places of a fault stand below it."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the library's name
        """Put the id and the places behind the message."""
        request = UNDER_WAY.get()
        name = f" [{request.id}]" if request is not None else ""
        places = _fields(record).get(TRACEBACK)
        return super().formatMessage(record) + name + (f"\n{places}" if places else "")

    def formatException(self, ei: _Raised) -> str:  # noqa: N802 - the library's name
        """Return the places and the kind of an exception, whose text may hold a value."""
        return _places(ei)


class Json(logging.Formatter):
    """A line with one JSON object; what a record has to say besides its message are members."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        request = UNDER_WAY.get()
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")[:-6] + "Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request is not None:
            line["request_id"] = request.id
        if record.exc_info:
            line[TRACEBACK] = _places(record.exc_info)
        return json.dumps(line | _fields(record), default=str)


def configuration(kind: Format) -> dict[str, Any]:
    """Return what the standard library's ``dictConfig`` takes, which every server process reads."""
    formatter = {"plain": Plain, "json": Json}[kind]
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"chosen": {"()": f"{__name__}.{formatter.__name__}"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "chosen"}},
        "root": {"handlers": ["stderr"], "level": "INFO"},
        "loggers": {"alembic": {"level": "WARNING"}},  # it speaks at every look at the schema: readiness looks often
    }


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    fields: dict[str, Any] = getattr(record, FIELDS, {})
    return fields


def _places(raised: _Raised) -> str:
    kind, _, where = raised
    places = "".join(traceback.format_tb(where))
    return places + (kind.__qualname__ if kind is not None else "")
