"""What a form within a session leads to when it is refused: the page that it was on, or a fresh proof and then on."""

from collections.abc import Awaitable, Callable

from fastapi import Request, Response

from umbra.core.errors import Refused
from umbra.pages.forms import Form
from umbra.pages.messages import Told
from umbra.pages.route import Handler, PageRoute
from umbra.pages.site import Site, site_of
from umbra.pages.visitor import Visitor, the_form, the_visitor
from umbra.sessions.errors import StepUpRequired
from umbra.signin import secondfactor
from umbra.web import caller
from umbra.web.errors import OriginRefused, TooLarge, UnsupportedMediaType
from umbra.web.problems import headers_of

Again = Callable[[Site, Visitor, Told, Form], Awaitable[Response]]
"""Shows the page that a refused form was on, with what was typed, secrets excepted."""

HELD = {
    "setup": ("name",),
    "email": ("email",),
    "operator-end-sessions": ("account_id",),
    "operator-reset": ("account_id",),
    "operator-disable": ("account_id",),
    "operator-enable": ("account_id",),
}
"""The forms that may want a fresh proof first, and what is held of each while it is given; no secret is."""


def returning_to(again: Again) -> type[PageRoute]:
    """Return the route of forms whose refusals stand on their own page."""

    class Returning(PageRoute):
        async def handled(self, handle: Handler, request: Request) -> Response:
            try:
                return await handle(request)
            except (OriginRefused, TooLarge, UnsupportedMediaType):
                raise
            except Refused as refusal:
                return await _returned(request, refusal, again)

    return Returning


async def _returned(request: Request, refusal: Refused, again: Again) -> Response:
    """Show a refusal where the form was; what keeps that page away as well is raised anew."""
    auth = caller.the_auth(request)
    site, visitor, form = site_of(request, auth), await the_visitor(request, auth), await the_form(request)
    place = _place(request, form)
    if isinstance(refusal, StepUpRequired):
        next_ = site.path(request.scope["route"].path) if request.method in caller.SAFE_METHODS else None
        answer = await step_up_page(site, visitor, form=form, then=place, next_=next_)
        answer.status_code = 403
        answer.headers.update(headers_of(refusal))
        return answer
    return await again(site, visitor, site.tell(refusal, place, form), form)


async def step_up_page(
    site: Site, visitor: Visitor, told: Told | None = None, *, form: Form, then: str | None, next_: str | None
) -> Response:
    """Ask for a fresh proof; ``then`` names the form that waits for it, and what it held goes along."""
    status = await secondfactor.status(site.auth, visitor.me)
    held = {name: text for name in HELD.get(then or "", ()) if (text := form.optional(name)) is not None}
    return site.page(
        "step_up.html",
        told=told,
        visitor=visitor,
        is_enabled=status.enabled,
        is_backup=form.has("backup_code"),
        then=then,
        held=held,
        next=next_,
    )


def _place(request: Request, form: Form) -> str:
    """Return the name of a form: its address with hyphens, and which of several it is."""
    place: str = request.scope["route"].path.removeprefix("/security").strip("/").replace("/", "-")
    which = form.optional("authenticator_id")
    return f"{place}-{which}" if which is not None else place
