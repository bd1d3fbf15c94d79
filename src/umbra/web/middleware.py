"""Around the whole server: headers on every answer, and an answer to every fault. Pure ASGI."""

import logging
import traceback

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from umbra.core.entropy import Entropy
from umbra.settings import Settings
from umbra.web.problems import INTERNAL, problem_of

Headers = list[tuple[bytes, bytes]]

log = logging.getLogger("umbra.fault")

STARTED = "umbra.started"
"""A member of the scope: an answer has begun, and another one cannot."""

HSTS_SECONDS = 2 * 365 * 24 * 3600
"""ASVS 3.4.1 asks for one year."""

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
)


class SecurityHeaders:
    """Puts the headers of ASVS 5.0, 3.4, on every answer."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
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
        self._headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        self._names = {name for name, _ in self._headers}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and add to its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                scope[STARTED] = True
                message["headers"] = [*message["headers"], *self._missing(message["headers"])]
            await send(message)

        await self._app(scope, receive, with_headers)

    def _missing(self, headers: Headers) -> Headers:
        """Return the headers that an answer, which may have its own policy, does not have yet."""
        present = [name for name, _ in headers if name in self._names]
        return [pair for pair in self._headers if pair[0] not in present] if present else self._headers


class Faults:
    """Answers whatever nobody else did: 500, an id, and that id in the log.

    The log gets the places in the code and the kind of the exception, never its text, which may hold a value.
    ``SecurityHeaders`` stands around it, and notes when an answer has begun.
    """

    def __init__(self, app: ASGIApp, entropy: Entropy) -> None:
        self._app = app
        self._entropy = entropy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and catch what falls."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        except ClientDisconnect:
            log.info("a client went away while it was sending")
        except Exception as fault:  # noqa: BLE001 - the last resort: below it is only the socket
            error_id = self._entropy.token_bytes(8).hex()
            places = "".join(traceback.format_tb(fault.__traceback__))
            log.error("fault %s: %s\n%s", error_id, type(fault).__qualname__, places)  # noqa: TRY400
            if STARTED not in scope:
                await problem_of(INTERNAL, error_id=error_id)(scope, receive, send)
