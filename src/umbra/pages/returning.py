"""What a form within a session leads to when it is refused: the page that it was on, or a fresh proof and then on."""

from collections.abc import Awaitable, Callable

from fastapi import Request, Response

from umbra.core.errors import Refused
from umbra.email_proofs.errors import EmailProofRequired
from umbra.pages.forms import Form
from umbra.pages.messages import Told
from umbra.pages.route import Handler, PageRoute
from umbra.pages.site import Site, site_of
from umbra.pages.visitor import Visitor, the_form, the_visitor
from umbra.sessions.errors import StepUpRequired
from umbra.signin import addresses, secondfactor
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
    is_held = place in HELD and request.method not in caller.SAFE_METHODS
    next_ = None if is_held else site.path(request.scope["route"].path)
    asking = await asked_first(site, visitor, refusal, form=form, then=place, next_=next_)
    return asking or await again(site, visitor, site.tell(refusal, place, form), form)


async def asked_first(
    site: Site, visitor: Visitor, refusal: Refused, *, form: Form, then: str | None, next_: str | None
) -> Response | None:
    """Return the page that asks for what is wanted first, or ``None`` where a refusal is no such question."""
    match refusal:
        case StepUpRequired():
            answer = await step_up_page(site, visitor, form=form, then=then, next_=next_)
        case EmailProofRequired():
            answer = await email_proof_page(site, visitor, form=form, then=then, next_=next_)
        case _:
            return None
    answer.status_code = 403
    answer.headers.update(headers_of(refusal))
    return answer


async def step_up_page(
    site: Site, visitor: Visitor, told: Told | None = None, *, form: Form, then: str | None, next_: str | None
) -> Response:
    """Ask for a fresh proof; ``then`` names the form that waits for it, and what it held goes along."""
    status = await secondfactor.status(site.auth, visitor.me)
    return site.page(
        "step_up.html",
        told=told,
        visitor=visitor,
        is_enabled=status.enabled,
        is_backup=form.has("backup_code"),
        then=then,
        held=_held(form, then),
        next=next_,
    )


async def email_proof_page(
    site: Site, visitor: Visitor, told: Told | None = None, *, form: Form, then: str | None, next_: str | None
) -> Response:
    """Ask for the code from a mail, or whether to send one; ``then`` is as it is for a fresh proof.

    A code that waits for a new address is none of what something else waits for.
    """
    standing = await addresses.standing(site.auth, visitor.me)
    is_waiting = standing.waits_for is not None and not (standing.is_new and (then or next_))
    if not is_waiting and standing.email is None:
        return site.see_other("/security")
    return site.page(
        "email_proof.html",
        told=told,
        visitor=visitor,
        standing=standing,
        is_waiting=is_waiting,
        then=then,
        held=_held(form, then),
        next=next_,
    )


def _held(form: Form, then: str | None) -> dict[str, str]:
    return {name: text for name in HELD.get(then or "", ()) if (text := form.optional(name)) is not None}


def _place(request: Request, form: Form) -> str:
    """Return the name of a form: its address with hyphens, and which of several it is."""
    place: str = request.scope["route"].path.removeprefix("/security").strip("/").replace("/", "-")
    which = form.optional("authenticator_id")
    return f"{place}-{which}" if which is not None else place
