"""The code from a mail: it proves the account's address, or is the last step of changing it."""

from fastapi import APIRouter, Depends, Request, Response

from umbra.email_proofs import codes
from umbra.pages import csrf
from umbra.pages.addresses import local
from umbra.pages.forms import Form
from umbra.pages.messages import Told
from umbra.pages.returning import HELD, email_proof_page, returning_to
from umbra.pages.route import admit
from umbra.pages.site import Site, TheSite
from umbra.pages.stepup import gone_on
from umbra.pages.visitor import TheForm, TheVisitor, Visitor
from umbra.signin import addresses

WAITING = ("then", "next", *{name for names in HELD.values() for name in names})
"""What goes along while the code is on its way."""


async def again(site: Site, visitor: Visitor, told: Told, form: Form) -> Response:
    """Ask once more."""
    return await _page(site, visitor, form, told)


router = APIRouter(route_class=returning_to(again), dependencies=[Depends(admit)])


@router.get("/security/email-proof")
async def ask(request: Request, site: TheSite, visitor: TheVisitor) -> Response:
    """Ask for the code, or whether to send one, and go on to ``next`` afterwards."""
    return await _page(site, visitor, Form({"next": request.query_params.get("next", "")}))


@router.post("/security/email-proof/send")
async def send(site: TheSite, visitor: TheVisitor, form: TheForm) -> Response:
    """Mail a code to the account's address, and ask for it."""
    form.only(csrf.FIELD, *WAITING)
    await addresses.send_code(site.auth, visitor.me, visitor.client)
    return await _page(site, visitor, form)


@router.post("/security/email-proof")
async def prove(site: TheSite, visitor: TheVisitor, form: TheForm) -> Response:
    """Take the code, and go on with what was asked for."""
    form.only(csrf.FIELD, "mailed_code", *WAITING)
    code = codes.parse(form.required("mailed_code"), "mailed_code")
    if await addresses.prove(site.auth, visitor.me, code, visitor.client):
        return site.see_other("/security/account", notice="email")
    return await gone_on(site, visitor, form)


async def _page(site: Site, visitor: Visitor, form: Form, told: Told | None = None) -> Response:
    then, next_ = form.optional("then"), local(form.optional("next"))
    return await email_proof_page(site, visitor, told, form=form, then=then, next_=next_)
