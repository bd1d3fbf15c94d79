"""What holds for every page."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from umbra.core.errors import Refused
from umbra.pages import forms
from umbra.pages.site import site_of
from umbra.pages.visitor import TheAuth
from umbra.sessions.errors import NotAuthenticated
from umbra.web import body, caller

Handler = Callable[[Request], Coroutine[Any, Any, Response]]

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""A host may have no guard of its own around its answers, so pages bring theirs; what a page says itself wins."""


class PageRoute(APIRoute):
    """Refusals as pages; nothing cached, nothing framed, no script or style but ours."""

    def get_route_handler(self) -> Handler:
        """Wrap FastAPI's handler."""
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            try:
                answer = await self.handled(handle, request)
            except NotAuthenticated:
                answer = _to_sign_in(request)
            except Refused as refusal:
                site = site_of(request, caller.the_auth(request))
                answer = site.page("refused.html", told=site.tell(refusal))
            for name, value in HEADERS.items():
                answer.headers.setdefault(name, value)
            return answer

        return guarded

    async def handled(self, handle: Handler, request: Request) -> Response:
        """Return the answer; whatever is refused here gets a page that says no more than that."""
        return await handle(request)


async def admit(request: Request, auth: TheAuth) -> None:
    """Look at size, media type and origin before anything else of what a form sends.

    Raises:
        TooLarge: It is over 64 KiB.
        UnsupportedMediaType: It is no form.
        OriginRefused: Another site sends it.
    """
    if request.method not in caller.SAFE_METHODS:
        request._body = await body.read(request, forms.MEDIA_TYPE)  # noqa: SLF001 - where Starlette keeps it
        caller.refuse_foreign_origin(request, auth)


def _to_sign_in(request: Request) -> Response:
    """Send whoever is not signed in to where people sign in, and back here afterwards if they were only looking."""
    site = site_of(request, caller.the_auth(request))
    own = request.scope["route"].path_format
    wanted = site.path(own) if request.method in caller.SAFE_METHODS and "{" not in own else None
    if not site.has_sign_in_page:
        return site.page("refused.html", told=site.tell(NotAuthenticated()))
    return site.to_sign_in(None if own == "/security" else wanted)
