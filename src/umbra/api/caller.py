"""Who calls, as dependencies. They only read; nothing commits after a ``yield``."""

from dataclasses import field
from typing import Annotated, Any, Literal

from fastapi import Depends, Request, Response
from starlette.requests import HTTPConnection

from umbra.auth import Auth
from umbra.core.events import Client
from umbra.core.record import record
from umbra.core.secret import Secret
from umbra.sessions import flows as sessions
from umbra.sessions.session import Current
from umbra.web import caller, cookies, host
from umbra.web.host import Identify


async def the_auth(request: Request) -> Auth:
    """Return what the composition root left in the application; FastAPI sends plain functions to a thread."""
    return caller.the_auth(request)


TheAuth = Annotated[Auth, Depends(the_auth)]


async def the_client(request: Request, auth: TheAuth) -> Client:
    """Return where the request came from."""
    return caller.client_of(request, auth)


TheClient = Annotated[Client, Depends(the_client)]


Carrier = Literal["cookie", "bearer", "host"]
"""What a caller's session came in: a cookie or bearer token of ours, or a token of the host's."""


@record
class Caller:
    """A signed-in caller, and how a renewed token goes back to them; one of the host's is the host's to renew."""

    me: Current
    carrier: Carrier
    request: HTTPConnection = field(repr=False)
    auth: Auth = field(repr=False)

    @property
    def client(self) -> Client:
        """Where the request came from, which most of them do not ask."""
        return caller.client_of(self.request, self.auth)

    def hand_over(self, response: Response, token: Secret[str]) -> None:
        """Give the browser its new token; a bearer's goes into the body."""
        if self.carrier == "cookie":
            cookies.set_session(response, self.auth.settings, token)

    def token_member(self, token: Secret[str]) -> dict[str, Any]:
        """Return the member with a bearer's new token; a browser's is in its cookie."""
        return {"token": token.reveal()} if self.carrier == "bearer" else {}


async def the_caller(request: HTTPConnection, auth: TheAuth) -> Caller:
    """Return who is signed in on a connection, which may be a socket.

    Raises:
        OriginRefused: A cookie would let a change in, and the browser says that another site asks for it.
        NotAuthenticated: Nobody is.
    """
    identify = host.around(request).identify
    if identify is not None:
        return await _caller_of_host(request, auth, identify)
    if caller.may_change(request) and caller.authenticates_by_cookie(request, auth):
        caller.refuse_foreign_origin(request, auth)
    shown = caller.shown_token(request, auth)
    me = await sessions.current(auth, shown.token if shown else None)
    return Caller(me, "bearer" if shown is not None and shown.is_bearer else "cookie", request, auth)


async def _caller_of_host(request: HTTPConnection, auth: Auth, identify: Identify) -> Caller:
    """Return whom the host says that this is; what the host looks at for that may be a cookie."""
    if caller.may_change(request) and not caller.names_itself(request):
        caller.refuse_foreign_origin(request, auth)
    return Caller(await sessions.current(auth, await identify(request)), "host", request, auth)


TheCaller = Annotated[Caller, Depends(the_caller)]


async def refuse_foreign_sign_in(request: Request, auth: TheAuth) -> None:
    """Keep other sites from signing a browser in, as themselves say; a token in the body reaches no cookie jar.

    Raises:
        OriginRefused: The answer would set a cookie, and the browser says that another site asks for it.
    """
    body = await request.json() if await request.body() else None
    if not (isinstance(body, dict) and body.get("delivery") == "token"):
        caller.refuse_foreign_origin(request, auth)
