from collections.abc import Mapping
from typing import Any

import orjson
from pydantic_core import to_jsonable_python
from starlette.responses import Response

JSON = b"application/json"


class JsonAnswer(Response):
    """A body as JSON, with moments as RFC 3339 writes them in UTC.

    Starlette finds out at every answer what holds for all of these: length and type, no more.
    """

    def __init__(self, body: Mapping[str, Any], status: int = 200, media_type: bytes = JSON) -> None:
        self.status_code = status
        self.body = orjson.dumps(body, to_jsonable_python, orjson.OPT_UTC_Z)  # a host's key may be of a driver's kind
        self.raw_headers = [(b"content-length", b"%d" % len(self.body)), (b"content-type", media_type)]
        self.background = None
