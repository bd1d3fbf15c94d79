"""The page on which people look after their second factor, and the steps of setting one up."""

from fastapi import APIRouter, Depends, Request, Response

from umbra.core import typed
from umbra.core.ids import AuthenticatorId
from umbra.core.secret import Secret
from umbra.pages import csrf
from umbra.pages.forms import Form
from umbra.pages.messages import Told, notice_of
from umbra.pages.returning import returning_to
from umbra.pages.route import admit
from umbra.pages.site import Site, TheSite
from umbra.pages.visitor import TheForm, TheVisitor, Visitor
from umbra.signin import secondfactor
from umbra.totp import flows as totp
from umbra.web import cookies
from umbra.web.ids import number


async def again(site: Site, visitor: Visitor, told: Told, form: Form) -> Response:
    """Show a refusal where the form was: on the second step of a set-up, or on the security page."""
    if told.place == "confirm" and (await secondfactor.status(site.auth, visitor.me)).setup_pending:
        return site.page("confirm.html", told=told, visitor=visitor)
    return await _security_page(site, visitor, told=told, form=form)


router = APIRouter(route_class=returning_to(again), dependencies=[Depends(admit)])


@router.get("/security")
async def security(request: Request, site: TheSite, visitor: TheVisitor) -> Response:
    """Show the state of everything."""
    return await _security_page(site, visitor, notice=notice_of(request, site.words))


@router.post("/security/setup")
async def setup(site: TheSite, visitor: TheVisitor, form: TheForm) -> Response:
    """Begin, or go on with, the set-up of an authenticator."""
    form.only(csrf.FIELD, "name")
    return await begin_setup(site, visitor, form)


async def begin_setup(site: Site, visitor: Visitor, form: Form) -> Response:
    """Begin, or go on with, the set-up of an authenticator, and lead to its first step."""
    text = form.optional("name")
    name = typed.authenticator_name(text) if text is not None else None
    await secondfactor.setup(site.auth, visitor.me, name, new_secret=False, client=visitor.client)
    return site.see_other("/security/setup")


@router.get("/security/setup")
async def show_secret(site: TheSite, visitor: TheVisitor) -> Response:
    """Show the secret of the set-up that this session has begun: the first step."""
    if not (await secondfactor.status(site.auth, visitor.me)).setup_pending:
        return site.see_other("/security")
    begun = await secondfactor.setup(site.auth, visitor.me, None, new_secret=False, client=visitor.client)
    return site.page("setup.html", visitor=visitor, setup=begun, is_secret=True)


@router.get("/security/confirm")
async def ask_for_code(site: TheSite, visitor: TheVisitor) -> Response:
    """Ask for the first code: the second step."""
    if not (await secondfactor.status(site.auth, visitor.me)).setup_pending:
        return site.see_other("/security")
    return site.page("confirm.html", visitor=visitor)


@router.post("/security/confirm")
async def confirm(site: TheSite, visitor: TheVisitor, form: TheForm) -> Response:
    """Switch on the authenticator that was set up; the first one comes with backup codes, the third step."""
    form.only(csrf.FIELD, "code")
    code = typed.totp_code(form.required("code"))
    confirmed = await secondfactor.confirm(site.auth, visitor.me, code, visitor.client)
    if confirmed.backup_codes is None:
        answer: Response = site.see_other("/security", notice="added")
    else:
        answer = _codes_page(site, visitor, confirmed.backup_codes, is_first=True)
    cookies.set_session(answer, site.auth.settings, confirmed.renewed.token)
    return answer


@router.post("/security/disable")
async def disable(site: TheSite, visitor: TheVisitor, form: TheForm) -> Response:
    """Turn the second factor off."""
    form.only(csrf.FIELD, "password", "code", "backup_code")
    password = typed.password(form.required("password"))
    await secondfactor.disable(site.auth, visitor.me, password, form.second_factor(), visitor.client)
    return site.see_other("/security", notice="disabled")


@router.post("/security/remove")
async def remove(site: TheSite, visitor: TheVisitor, form: TheForm) -> Response:
    """Remove one of several authenticators."""
    form.only(csrf.FIELD, "authenticator_id", "code", "backup_code")
    which = AuthenticatorId(number(form.required("authenticator_id")))
    await secondfactor.remove(site.auth, visitor.me, which, form.second_factor(), visitor.client)
    return site.see_other("/security", notice="removed")


@router.post("/security/rename")
async def rename(site: TheSite, visitor: TheVisitor, form: TheForm) -> Response:
    """Give an authenticator another name."""
    form.only(csrf.FIELD, "authenticator_id", "name")
    which = AuthenticatorId(number(form.required("authenticator_id")))
    name = typed.authenticator_name(form.required("name"))
    await totp.rename(site.auth, visitor.me.user.id, which, name, visitor.client)
    return site.see_other("/security", notice="renamed")


@router.post("/security/backup-codes")
async def regenerate(site: TheSite, visitor: TheVisitor, form: TheForm) -> Response:
    """Make a new set of backup codes, and show it this once."""
    form.only(csrf.FIELD, "password", "code")
    password, code = typed.password(form.required("password")), typed.totp_code(form.required("code"))
    codes = await secondfactor.regenerate(site.auth, visitor.me, password, code, visitor.client)
    return _codes_page(site, visitor, codes, is_first=False)


@router.get("/security/{_form:path}")
async def open_form(site: TheSite, _form: str) -> Response:
    """Send on who opens a form's target by its address."""
    return site.see_other("/security")


def _codes_page(site: Site, visitor: Visitor, codes: tuple[Secret[str], ...], *, is_first: bool) -> Response:
    return site.page("backup_codes.html", visitor=visitor, codes=codes, is_first=is_first, is_secret=True)


async def _security_page(
    site: Site, visitor: Visitor, *, notice: str | None = None, told: Told | None = None, form: Form | None = None
) -> Response:
    """Return the page; ``form`` is what was in the one that was refused."""
    status = await secondfactor.status(site.auth, visitor.me)
    name = form.optional("name") if form else None
    return site.page("security.html", told=told, notice=notice, visitor=visitor, status=status, name=name)
