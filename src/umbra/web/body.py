"""Bodies: their size and media type, before anything else is looked at."""

from starlette.requests import ClientDisconnect, Request

from umbra.web.errors import TooLarge, UnsupportedMediaType
from umbra.web.headers import lines

LARGEST_BODY_BYTES = 64 * 1024

_ANNOUNCES_BODY = frozenset({b"content-length", b"transfer-encoding"})

DISCARDED_BODY_BYTES = 16 * 1024 * 1024
"""How much of a body that is too large is read and thrown away, so that its sender gets to hear the answer."""


def is_absent(request: Request) -> bool:
    """Say whether a request is of the kind that mostly has no body, and announces none."""
    return request.scope["method"] == "GET" and _ANNOUNCES_BODY.isdisjoint(dict(request.scope["headers"]))


async def read(request: Request, media_type: str) -> bytes:
    """Return the request's body, which stays readable through the request.

    Raises:
        TooLarge: It is over 64 KiB.
        UnsupportedMediaType: There is one, and it is not of ``media_type``.
    """
    chunks: list[bytes] = []
    size = 0
    is_whole = False
    while not is_whole and size <= DISCARDED_BODY_BYTES:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk = message.get("body", b"")
        is_whole = not message.get("more_body", False)
        size += len(chunk)
        if size <= LARGEST_BODY_BYTES:
            chunks.append(chunk)
    if size > LARGEST_BODY_BYTES:
        raise TooLarge
    sent = [line.partition(";")[0].strip().lower() for line in lines(request, b"content-type")]
    if size and sent != [media_type]:
        raise UnsupportedMediaType
    return b"".join(chunks)
