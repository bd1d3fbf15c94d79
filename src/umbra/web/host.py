"""What an application around us does in its own way. The server is none, and does none of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from umbra.signin.flows import SignedIn

IN_SCOPE = "umbra.host"

Identify = Callable[[HTTPConnection], Awaitable[str | None]]
Issue = Callable[[Request, SignedIn], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Host:
    """The host's own ways, as far as it has any.

    ``issue`` answers whoever has just signed in, with a token of the host's; ``identify`` says which session such a
    token stands for. ``must_enrol`` says whether somebody who came with a password may do nothing but enrol.
    """

    issue: Issue | None = None
    identify: Identify | None = None
    must_enrol: Callable[[SignedIn], Awaitable[bool]] | None = None


NONE = Host()


def around(connection: HTTPConnection) -> Host:
    """Return the application that this request came through."""
    host = connection.scope.get(IN_SCOPE, NONE)
    assert isinstance(host, Host)  # noqa: S101 - a narrowing
    return host
