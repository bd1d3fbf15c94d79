"""Around the whole server: headers on every answer, and an answer to every fault. Pure ASGI."""

import logging
import traceback
from collections.abc import Awaitable

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from umbra.core import request
from umbra.core.logs import FIELDS, TRACEBACK
from umbra.core.request import Seen
from umbra.settings import Settings
from umbra.web.problems import INTERNAL, problem_of

log = logging.getLogger("umbra.fault")

REQUEST_ID = b"x-request-id"

HSTS_SECONDS = 2 * 365 * 24 * 3600
"""ASVS 3.4.1 asks for one year."""

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
)


class Guard:
    """What holds for every answer of the server: that there is one, the headers of ASVS 5.0, 3.4, and an id."""

    def __init__(self, settings: Settings) -> None:
        headers = {
            "Content-Security-Policy": CONTENT_SECURITY_POLICY,
            "Referrer-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
        }
        if settings.is_https:
            headers["Strict-Transport-Security"] = f"max-age={HSTS_SECONDS}"
        self.headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def answer(self, call: Awaitable[Response | None]) -> Response | None:
        """Return the answer of a call with the headers, or of its fault: 500, and the request's id, as in the log.

        There is none when the call has sent one itself, or when nobody waits for it any more.

        The log gets the places in the code and the kind of the exception, never its text, which may hold a value.
        """
        try:
            answer = await call
        except ClientDisconnect:
            log.info("a client went away while it was sending")
            return None
        except Exception as fault:  # noqa: BLE001 - the last resort: below it is only the socket
            answer = _answer_to(fault)
        if answer is not None:
            answer.raw_headers += self.headers
            answer.raw_headers.append((REQUEST_ID, _under_way().id.encode()))
        return answer


def _under_way() -> Seen:
    seen = request.UNDER_WAY.get()
    assert seen is not None  # noqa: S101 - a narrowing: the server watches every request
    return seen


def _answer_to(fault: Exception) -> Response:
    """Answer a fault, and leave its kind and its places in the log, under the one id."""
    seen = _under_way()
    seen.reason = INTERNAL
    places = "".join(traceback.format_tb(fault.__traceback__))
    log.error("fault %s: %s", seen.id, type(fault).__qualname__, extra={FIELDS: {TRACEBACK: places}})
    return problem_of(INTERNAL, error_id=seen.id)


class Guarded:
    """Puts the guard around an application that sends its answers itself."""

    def __init__(self, app: ASGIApp, guard: Guard) -> None:
        self._app = app
        self._guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, add to its answer, and answer what falls."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_started = False

        async def with_headers(message: Message) -> None:
            nonlocal has_started
            if message["type"] == "http.response.start":
                has_started = True
                present = [name for name, _ in message["headers"]]  # a page may have a policy of its own
                missing = [pair for pair in self._guard.headers if pair[0] not in present]
                message["headers"] = [*message["headers"], *missing, (REQUEST_ID, _under_way().id.encode())]
            await send(message)

        answer = await self._guard.answer(self._app(scope, receive, with_headers))
        if answer is not None and not has_started:
            await answer(scope, receive, send)
