"""A fresh proof, given in place: afterwards what was asked for is done, with what had been typed."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fastapi import APIRouter, Depends, Request, Response

from umbra.core.errors import Refused
from umbra.pages import account, csrf, operating, security
from umbra.pages.addresses import local
from umbra.pages.forms import Form
from umbra.pages.messages import Told
from umbra.pages.returning import HELD, Again, asked_first, returning_to, step_up_page
from umbra.pages.route import admit
from umbra.pages.site import Site, TheSite, go_on
from umbra.pages.visitor import TheForm, TheVisitor, Visitor
from umbra.signin import secondfactor
from umbra.web import cookies


@dataclass(frozen=True, slots=True)
class Going:
    """What is done after a proof, and where it is shown if that is refused."""

    do: Callable[[Site, Visitor, Form], Awaitable[Response]]
    again: Again


GOING_ON = {
    "setup": Going(security.begin_setup, security.again),
    "email": Going(account.give_email, account.again),
    **{name: Going(action.do, operating.again) for name, action in operating.ACTIONS.items()},
}


async def again(site: Site, visitor: Visitor, told: Told, form: Form) -> Response:
    """Ask once more."""
    next_ = local(form.optional("next"))
    return await step_up_page(site, visitor, told, form=form, then=form.optional("then"), next_=next_)


router = APIRouter(route_class=returning_to(again), dependencies=[Depends(admit)])


@router.get("/security/step-up")
async def ask(request: Request, site: TheSite, visitor: TheVisitor) -> Response:
    """Ask for a fresh proof, and go on to ``next`` afterwards."""
    return await step_up_page(site, visitor, form=Form({}), then=None, next_=local(request.query_params.get("next")))


@router.post("/security/step-up")
async def step_up(site: TheSite, visitor: TheVisitor, form: TheForm) -> Response:
    """Prove again who is sitting there, and go on with what was asked for."""
    held = {name for names in HELD.values() for name in names}
    form.only(csrf.FIELD, "password", "code", "backup_code", "then", "next", *held)
    renewed = await secondfactor.step_up(site.auth, visitor.me, form.proof(), visitor.client)
    fresh = Visitor(renewed.current, visitor.client, csrf.of(renewed.token.reveal()))
    answer = await gone_on(site, fresh, form)
    cookies.set_session(answer, site.auth.settings, renewed.token)
    return answer


async def gone_on(site: Site, visitor: Visitor, form: Form) -> Response:
    """Do what a form had waited for, or lead to where somebody was; what that asks for first is asked for."""
    then = form.optional("then")
    going = GOING_ON.get(then or "")
    if going is None:
        return go_on(local(form.optional("next")) or site.path("/security"))
    try:
        return await going.do(site, visitor, form)
    except Refused as refusal:
        asking = await asked_first(site, visitor, refusal, form=form, then=then, next_=None)
        return asking or await going.again(site, visitor, site.tell(refusal, then, form), form)
