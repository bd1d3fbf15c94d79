"""The whole HTML face."""

from fastapi import APIRouter, Request, Response

from umbra.pages import security, signin
from umbra.pages.render import STYLESHEET, see_other
from umbra.pages.route import PageRoute
from umbra.pages.visitor import TheAuth, is_signed_in

router = APIRouter(include_in_schema=False, route_class=PageRoute)
styles = APIRouter()

STYLESHEET_SECONDS = 365 * 24 * 3600
"""A year: pages name the file by its content, so a kept one is never an old one."""


@router.get("/")
async def home(request: Request, auth: TheAuth) -> Response:
    """Send people to where they belong."""
    return see_other("/security" if await is_signed_in(request, auth) else "/sign-in")


@styles.get("/static/umbra.css")
async def stylesheet() -> Response:
    """Return what pages look like."""
    kept = {"Cache-Control": f"public, max-age={STYLESHEET_SECONDS}, immutable"}
    return Response(STYLESHEET, headers=kept, media_type="text/css")


router.include_router(signin.router)
router.include_router(security.router)
router.include_router(styles)
