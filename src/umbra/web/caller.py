"""Who calls: the address, the origin that the browser names, the token that was shown."""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import field
from functools import lru_cache

from starlette.requests import HTTPConnection

from umbra import words
from umbra.auth import Auth
from umbra.core import typed
from umbra.core.events import Client
from umbra.core.record import record
from umbra.crypto import tokens
from umbra.sessions.errors import NotAuthenticated
from umbra.settings import Network
from umbra.web import cookies
from umbra.web.errors import OriginRefused
from umbra.web.headers import lines

_HOP = re.compile(r"\[(?P<v6>[^\]]*)\](:\d+)?|(?P<v4>[\d.]+):\d+")
"""A hop with brackets or a port, as some proxies write it."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

LONGEST_HOP = 64
"""The longest IPv6 address in brackets with a port has 53 characters; what is longer is not kept in mind."""

IN_SCOPE = "umbra"
"""Where a host's router and dependencies put what the use cases need: an application may have several."""

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@record
class Shown:
    """The session token that a request shows, and how."""

    token: str = field(repr=False)
    is_bearer: bool = False


def the_auth(request: HTTPConnection) -> Auth:
    """Return what a host's router brought, or the composition root left in the application."""
    auth = request.scope.get(IN_SCOPE) or request.app.state.umbra
    assert isinstance(auth, Auth)  # noqa: S101 - a narrowing, and a host's mistake
    return auth


def client_of(request: HTTPConnection, auth: Auth) -> Client:
    """Return where the request came from, seen through the proxies that the operator trusts."""
    peer = request.client.host if request.client else None
    forwarded = ",".join(lines(request, b"x-forwarded-for"))
    address = client_address(peer, forwarded, auth.settings.trusted_proxies)
    agent = typed.header(next(iter(lines(request, b"user-agent")), None))
    is_told = auth.settings.sends_mail
    language = words.negotiated(",".join(lines(request, b"accept-language"))) if is_told else None
    return Client(address, agent, _browser(request, auth), language=language)


def is_from_proxy(request: HTTPConnection, auth: Auth) -> bool:
    """Say whether a proxy that the operator trusts has brought the request."""
    peer = peer_of(request)
    return peer is not None and any(peer in network for network in auth.settings.trusted_proxies)


def peer_of(request: HTTPConnection) -> Address | None:
    """Return the address at the other end of the connection, if it has one."""
    return _address(request.client.host) if request.client else None


def by_token(client: Client) -> Client:
    """Return a client that gets no cookie: its mails know it by its name, and no budget of guesses does."""
    program = tokens.hash_of_program(client.user_agent or "")
    return Client(client.ip, client.user_agent, program=program, language=client.language)


def client_address(peer: str | None, forwarded_for: str, trusted: Sequence[Network]) -> str | None:
    """Return the last hop that is not a trusted proxy; whatever stands before that, anybody could have written."""
    hops = [hop.strip() for hop in forwarded_for.split(",") if hop.strip()]
    client = _address(peer or "")
    while client is not None and hops and any(client in network for network in trusted):
        hop = _address(hops.pop())
        if hop is None:
            break
        client = hop
    return str(client) if client is not None else None


def may_change(request: HTTPConnection) -> bool:
    """Say whether what is asked may change something; a socket that is opened may, whatever is said on it."""
    return request.scope.get("method") not in SAFE_METHODS


def refuse_foreign_origin(request: HTTPConnection, auth: Auth) -> None:
    """Refuse what a browser sends on behalf of another site; other clients name no origin.

    Raises:
        OriginRefused: ``Origin`` is not ours (``null`` is not), or ``Sec-Fetch-Site`` says cross-site or same-site.
    """
    origins = lines(request, b"origin")
    if any(origin != auth.settings.public_url for origin in origins):
        raise OriginRefused
    if any(site not in {"same-origin", "none"} for site in lines(request, b"sec-fetch-site")):
        raise OriginRefused


def shown_token(request: HTTPConnection, auth: Auth) -> Shown | None:
    """Return the one session token that the request shows: a bearer token's beside a cookie's, else the cookie's.

    Raises:
        NotAuthenticated: It shows two of a kind.
    """
    bearers = _bearer_tokens(request)
    shown = bearers or session_cookies(request, auth)
    if len(shown) > 1:
        raise NotAuthenticated
    return Shown(shown[0], is_bearer=bool(bearers)) if shown else None


def authenticates_by_cookie(request: HTTPConnection, auth: Auth) -> bool:
    """Say whether it is a cookie that would let this request in."""
    return not _bearer_tokens(request) and bool(session_cookies(request, auth))


def names_itself(request: HTTPConnection) -> bool:
    """Say whether the caller put a token there themselves, which no browser does on behalf of another site."""
    return any(True for _ in lines(request, b"authorization"))


def session_cookies(request: HTTPConnection, auth: Auth) -> list[str]:
    """Return the values of every session cookie in the request, without adopting any."""
    return cookie_values(request, auth, cookies.SESSION)


def _browser(request: HTTPConnection, auth: Auth) -> str | None:
    """Return the hash of the one token by which the browser is recognised, if it shows one."""
    match cookie_values(request, auth, cookies.BROWSER):
        case [token]:
            return tokens.BROWSER.hash_of(token)
        case _:
            return None


def cookie_values(request: HTTPConnection, auth: Auth, cookie: str) -> list[str]:
    """Return the values of every cookie of ours of a name; two of them are none that a caller may rely on."""
    name = cookies.named(auth.settings, cookie)
    pairs = (pair.strip().partition("=") for line in lines(request, b"cookie") for pair in line.split(";"))
    return [value for key, equals, value in pairs if key == name and equals]


def _bearer_tokens(request: HTTPConnection) -> list[str]:
    found = []
    for line in lines(request, b"authorization"):
        scheme, _, token = line.partition(" ")
        if scheme.lower() == "bearer":
            found.append(token.strip())
    return found


def _address(text: str) -> Address | None:
    """Return the address that a hop names: with a port or without, and IPv4 as itself where IPv6 wraps it."""
    return _parsed(text) if len(text) <= LONGEST_HOP else None


@lru_cache(maxsize=1024)
def _parsed(text: str) -> Address | None:
    dressed = _HOP.fullmatch(text)
    bare = (dressed["v6"] or dressed["v4"]) if dressed else text
    try:
        address = ipaddress.ip_address(bare or "")
    except ValueError:
        return None
    if "%" in text:
        return None  # a zone is of any length, and means nothing beyond one machine
    return getattr(address, "ipv4_mapped", None) or address
