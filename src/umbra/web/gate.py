"""A gate in front of an ASGI application, and refusals in whatever form a connection can still take."""

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from umbra.core.errors import Refused
from umbra.web.problems import problem

POLICY_VIOLATION = 1008
"""RFC 6455, section 7.4.1."""

DENIAL = "websocket.http.response"
"""The extension with which a server answers a WebSocket's opening as any other request."""


Answer = Response | WebSocketClose


def refusal_to(connection: HTTPConnection, refusal: Refused) -> Answer:
    """Return the answer to a refusal; a socket that cannot be answered is closed with the reason."""
    if connection.scope["type"] == "websocket" and DENIAL not in connection.scope.get("extensions", {}):
        return WebSocketClose(POLICY_VIOLATION, refusal.reason)
    return problem(refusal)


def gated(
    app: ASGIApp,
    the_user: Callable[[HTTPConnection], Awaitable[Any]],
    answer_to: Callable[[HTTPConnection, Refused], Answer],
) -> ASGIApp:
    """Return ``app`` behind a gate: ``request.state.user`` is who came through, and whoever did not is refused."""

    async def behind_the_gate(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await app(scope, receive, send)
            return
        connection = Request(scope) if scope["type"] == "http" else HTTPConnection(scope)
        try:
            connection.state.user = await the_user(connection)
        except Refused as refusal:
            await answer_to(connection, refusal)(scope, receive, send)
        else:
            await app(scope, receive, send)

    return behind_the_gate
