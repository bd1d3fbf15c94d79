"""The whole HTML face, for the server and for whoever mounts it."""

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute

from umbra.pages import account, activity, links, operating, proving, security, signin, stepup
from umbra.pages.route import PageRoute
from umbra.pages.site import NOTHING, HostsOwn, TheSite
from umbra.pages.visitor import is_signed_in

home = APIRouter(route_class=PageRoute)
assets = APIRouter()

PARTS = (
    home,
    signin.router,
    links.router,
    account.router,
    activity.router,
    stepup.router,
    proving.router,
    operating.router,
    security.router,
    assets,
)
"""The last part of ``security`` takes what stands behind no other address."""

KEPT_SECONDS = 365 * 24 * 3600
"""A year: pages name a file by its content, so a kept one is never an old one."""

OPERATORS = {route.path for route in operating.router.routes if isinstance(route, APIRoute)}
LINKS = {route.path for route in (*links.router.routes, *proving.router.routes) if isinstance(route, APIRoute)}
ACCOUNTS = {"/", "/first-run", "/register", "/security/account", "/security/password", "/security/email"}
ACCOUNTS |= LINKS | OPERATORS
PASSWORDS = {"/sign-in"}
"""What a host does itself, as it says, and has no pages of ours for."""


@home.get("/")
async def begin(request: Request, site: TheSite) -> Response:
    """Send people to where they belong."""
    return site.see_other("/security" if await is_signed_in(request, site.auth) else "/sign-in")


@assets.get("/static/{name}")
async def asset(name: str, site: TheSite) -> Response:
    """Return one of the files that pages are made of."""
    found = site.pages.assets.get(name)
    if found is None:
        return Response(status_code=404)
    return Response(
        found.content,
        headers={
            "Cache-Control": f"public, max-age={KEPT_SECONDS}, immutable",
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
            "X-Content-Type-Options": "nosniff",
        },
        media_type=found.media_type,
    )


def router(hosts_own: HostsOwn = NOTHING) -> APIRouter:
    """Return the pages, without those of what a host does itself."""
    left_out = (ACCOUNTS if hosts_own.accounts else set()) | (PASSWORDS if hosts_own.login else set())
    whole = APIRouter()
    whole.routes = [route for part in PARTS for route in part.routes if getattr(route, "path", None) not in left_out]
    return whole  # side by side: a router in a router costs a copy of every route, and is looked through in turn
