"""Who looks at a page, as dependencies. They only read; nothing commits after a ``yield``."""

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from umbra.auth import Auth
from umbra.core.events import Client
from umbra.pages import csrf, forms
from umbra.pages.forms import Form
from umbra.sessions import flows as sessions
from umbra.sessions.errors import NotAuthenticated
from umbra.sessions.session import Current
from umbra.web import caller, cookies


async def the_auth(request: Request) -> Auth:
    """Return what the composition root left in the application; FastAPI sends plain functions to a thread."""
    return caller.the_auth(request)


TheAuth = Annotated[Auth, Depends(the_auth)]


async def the_client(request: Request, auth: TheAuth) -> Client:
    """Return where the request came from."""
    return caller.client_of(request, auth)


async def the_form(request: Request) -> Form:
    """Return what was sent.

    Raises:
        InvalidRequest: It is no form.
    """
    return forms.parse(await request.body())


TheClient = Annotated[Client, Depends(the_client)]
TheForm = Annotated[Form, Depends(the_form)]


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who is signed in, and the mark that the forms of their pages carry."""

    me: Current
    client: Client
    csrf: str = field(repr=False)


async def the_visitor(request: Request, auth: TheAuth) -> Visitor:
    """Return who is signed in here, once a form of theirs has shown that it is one of ours.

    Raises:
        NotAuthenticated: Nobody is.
        InvalidRequest: What was sent is no form.
        OriginRefused: The form is not from a page of this session.
    """
    token = session_token(request, auth)
    me = await sessions.current(auth, token)
    if request.method not in caller.SAFE_METHODS:
        csrf.check((await the_form(request)).optional(csrf.FIELD), token)
    return Visitor(me, caller.client_of(request, auth), csrf.of(token))


TheVisitor = Annotated[Visitor, Depends(the_visitor)]


def session_token(request: Request, auth: Auth) -> str:
    """Return the token in the session cookie; pages know no other way to show one.

    Raises:
        NotAuthenticated: There is no cookie, or more than one.
    """
    token = lone_cookie(request, auth, cookies.SESSION)
    if token is None:
        raise NotAuthenticated
    return token


def lone_cookie(request: Request, auth: Auth, name: str) -> str | None:
    """Return the value of a cookie of ours, unless there is none, or more than one."""
    values = caller.cookie_values(request, auth, name)
    return values[0] if len(values) == 1 else None


async def is_signed_in(request: Request, auth: Auth) -> bool:
    """Say whether somebody is signed in here."""
    try:
        await sessions.current(auth, session_token(request, auth))
    except NotAuthenticated:
        return False
    return True
