"""Around the whole server: an id for every request, and word of how it ended for whoever logs or counts requests."""

import asyncio
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain

from fastapi.routing import RouteContext
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from umbra.auth import Auth
from umbra.core.entropy import Entropy
from umbra.core.logs import FIELDS
from umbra.core.request import OTHER, UNDER_WAY, Seen
from umbra.web import caller
from umbra.web.headers import lines
from umbra.web.middleware import REQUEST_ID

METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
ROUTE = "umbra.route"
"""Where in the scope stands which address of ours was found, if nobody routed the request."""

ID_BYTES = 8
IDS_AT_ONCE = 256

_ID = re.compile(r"[0-9a-fA-F-]{16,64}")
"""What a proxy may call a request: UUIDs and other hexadecimal numbers are of this form, names and tokens are not."""


Watcher = Callable[[Seen], None]
"""Who is told of every request that has ended."""

log = logging.getLogger("umbra.request")


def write_down(seen: Seen) -> None:
    """Leave a line in the log, without anything that was sent."""
    fields = {
        "method": seen.method,
        "route": seen.route,
        "status": seen.status,
        "duration": round(seen.seconds, 6),
        "reason": seen.reason,
    }
    log.info("%s %s %s", seen.method, seen.route, seen.status, extra={FIELDS: fields})


class Watched:
    """Gives every request an id, which the guard puts on its answer, and tells the watchers when it has ended."""

    def __init__(
        self, app: ASGIApp, auth: Auth, watchers: Sequence[Watcher], routes: Iterable[RouteContext] = ()
    ) -> None:
        self._app = app
        self._auth = auth
        self._watchers = watchers
        self._ids = chain.from_iterable(_ids(auth.entropy))
        self._routes = {id(route.original_route): route.path_format for route in routes}  # they are not hashable

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        seen = Seen(self._id_of(scope))
        token = UNDER_WAY.set(seen)
        try:
            if self._watchers:
                await self._watch(seen, scope, receive, send)
            else:
                await self._app(scope, receive, send)
        finally:
            UNDER_WAY.reset(token)

    async def _watch(self, seen: Seen, scope: Scope, receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()

        async def watching(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen.status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watching)
        finally:
            seen.seconds = loop.time() - began
            seen.method = scope["method"] if scope["method"] in METHODS else OTHER
            seen.route = scope.get(ROUTE) or self._routes.get(id(scope.get("route"))) or OTHER
            for watcher in self._watchers:
                watcher(seen)

    def _id_of(self, scope: Scope) -> str:
        """Return what a trusted proxy calls the request, or an id of our own."""
        if self._auth.settings.trusted_proxies:
            given = _given(HTTPConnection(scope), self._auth)
            if given is not None:
                return given
        return next(self._ids)


def _ids(entropy: Entropy) -> Iterator[list[str]]:
    """Yield many ids, without end; to ask for each by itself takes a session check several hundredths of its time."""
    while True:
        drawn = entropy.token_bytes(ID_BYTES * IDS_AT_ONCE)
        yield [drawn[begin : begin + ID_BYTES].hex() for begin in range(0, len(drawn), ID_BYTES)]


def _given(request: HTTPConnection, auth: Auth) -> str | None:
    """Return the one id that a trusted proxy gives the request, if it is of the form."""
    match lines(request, REQUEST_ID):
        case [given] if _ID.fullmatch(given) and caller.is_from_proxy(request, auth):
            return given
        case _:
            return None
