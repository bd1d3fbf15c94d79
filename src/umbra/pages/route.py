"""What holds for every page."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from umbra.core.errors import Refused
from umbra.pages import forms
from umbra.pages.messages import tell
from umbra.pages.render import page, see_other
from umbra.sessions.errors import NotAuthenticated
from umbra.web import body, caller

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class PageRoute(APIRoute):
    """Size, media type and origin first; refusals as pages; nothing cached."""

    def get_route_handler(self) -> Handler:
        """Wrap FastAPI's handler."""
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            try:
                if request.method not in caller.SAFE_METHODS:
                    await _admit(request)
                answer = await self.handled(handle, request)
            except NotAuthenticated:
                answer = see_other("/sign-in")
            except Refused as refusal:
                auth = caller.the_auth(request)
                answer = page(auth, "refused.html", told=tell(refusal, auth.settings))
            answer.headers["Cache-Control"] = "no-store"
            return answer

        return guarded

    async def handled(self, handle: Handler, request: Request) -> Response:
        """Return the answer; whatever is refused here gets a page that says no more than that."""
        return await handle(request)


async def _admit(request: Request) -> None:
    request._body = await body.read(request, forms.MEDIA_TYPE)  # noqa: SLF001 - where Starlette keeps it
    caller.refuse_foreign_origin(request, caller.the_auth(request))
