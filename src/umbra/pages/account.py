"""Password and mail address, where they are not the host's own business."""

from fastapi import APIRouter, Depends, Request, Response

from umbra.core import typed
from umbra.pages import csrf
from umbra.pages.forms import Form
from umbra.pages.messages import Told, notice_of
from umbra.pages.returning import returning_to
from umbra.pages.route import admit
from umbra.pages.site import Site, TheSite
from umbra.pages.visitor import TheForm, TheVisitor, Visitor
from umbra.signin import account, addresses, secondfactor


async def again(site: Site, visitor: Visitor, told: Told, form: Form) -> Response:
    """Show a refusal on the page that the form was on."""
    return await _account_page(site, visitor, told=told, form=form)


router = APIRouter(route_class=returning_to(again), dependencies=[Depends(admit)])


@router.get("/security/account")
async def show(request: Request, site: TheSite, visitor: TheVisitor) -> Response:
    """Show what can be changed of an account."""
    return await _account_page(site, visitor, notice=notice_of(request, site.words))


@router.post("/security/password")
async def change_password(site: TheSite, visitor: TheVisitor, form: TheForm) -> Response:
    """Give the account another password."""
    form.only(csrf.FIELD, "current_password", "new_password", "code")
    current, new = typed.password(form.required("current_password")), typed.password(form.required("new_password"))
    text = form.optional("code")
    code = typed.totp_code(text) if text is not None else None
    await account.change_password(site.auth, visitor.me, current, new, code, visitor.client)
    return site.see_other("/security/account", notice="password")


@router.post("/security/email")
async def change_email(site: TheSite, visitor: TheVisitor, form: TheForm) -> Response:
    """Give the account another mail address, or none."""
    form.only(csrf.FIELD, "email")
    return await give_email(site, visitor, form)


async def give_email(site: Site, visitor: Visitor, form: Form) -> Response:
    """Give the account the mail address of a form."""
    text = form.optional("email")
    email = typed.email(text) if text is not None else None
    if await addresses.change(site.auth, visitor.me, email, visitor.client):
        return site.see_other("/security/email-proof")
    return site.see_other("/security/account", notice="email")


async def _account_page(
    site: Site, visitor: Visitor, *, notice: str | None = None, told: Told | None = None, form: Form | None = None
) -> Response:
    status = await secondfactor.status(site.auth, visitor.me)
    email = form.texts.get("email") if form and form.has("email") else visitor.me.user.email
    return site.page("account.html", told=told, notice=notice, visitor=visitor, status=status, email=email)
