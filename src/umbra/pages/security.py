"""The page on which people look after their second factor, password and sessions."""

from fastapi import APIRouter, Request, Response

from umbra.auth import Auth
from umbra.core import typed
from umbra.core.errors import Refused
from umbra.core.ids import AuthenticatorId, SessionId
from umbra.pages import csrf
from umbra.pages.forms import Form
from umbra.pages.messages import Told, notice_of, tell
from umbra.pages.render import page, see_other
from umbra.pages.route import Handler, PageRoute
from umbra.pages.visitor import TheAuth, TheForm, TheVisitor, Visitor, the_form, the_visitor
from umbra.sessions import flows as sessions
from umbra.sessions.errors import StepUpRequired
from umbra.signin import account, secondfactor
from umbra.totp import flows as totp
from umbra.totp.flows import Setup
from umbra.web import caller, cookies
from umbra.web.ids import number


class SecurityRoute(PageRoute):
    """Shows a refusal where the person was."""

    async def handled(self, handle: Handler, request: Request) -> Response:
        """Return the answer, or the page that the form was on, with what was refused."""
        try:
            return await handle(request)
        except Refused as refusal:
            return await _page_again(request, refusal)


router = APIRouter(route_class=SecurityRoute)


@router.get("/security")
async def security(request: Request, auth: TheAuth, visitor: TheVisitor) -> Response:
    """Show the state of everything."""
    return await _security_page(auth, visitor, notice=notice_of(request))


@router.get("/security/{_form:path}")
async def open_form(_form: str) -> Response:
    """Send on who opens a form's target by its address."""
    return see_other("/security")


@router.post("/security/setup")
async def setup(auth: TheAuth, visitor: TheVisitor, form: TheForm) -> Response:
    """Begin, or go on with, the set-up of an authenticator."""
    form.only(csrf.FIELD, "name")
    text = form.optional("name")
    name = typed.authenticator_name(text) if text is not None else None
    begun = await secondfactor.setup(auth, visitor.me, name, new_secret=False, client=visitor.client)
    return _setup_page(auth, visitor, begun)


@router.post("/security/confirm")
async def confirm(auth: TheAuth, visitor: TheVisitor, form: TheForm) -> Response:
    """Switch on the authenticator that was set up; the first one comes with backup codes."""
    form.only(csrf.FIELD, "code")
    confirmed = await secondfactor.confirm(auth, visitor.me, typed.totp_code(form.required("code")), visitor.client)
    answer: Response = see_other("/security?notice=added")
    if confirmed.backup_codes is not None:
        renewed = Visitor(confirmed.renewed.current, visitor.client, csrf.of(confirmed.renewed.token.reveal()))
        answer = page(auth, "backup_codes.html", visitor=renewed, codes=confirmed.backup_codes)
    cookies.set_session(answer, auth.settings, confirmed.renewed.token)
    return answer


@router.post("/security/disable")
async def disable(auth: TheAuth, visitor: TheVisitor, form: TheForm) -> Response:
    """Turn the second factor off."""
    form.only(csrf.FIELD, "password", "code", "backup_code")
    password = typed.password(form.required("password"))
    await secondfactor.disable(auth, visitor.me, password, form.second_factor(), visitor.client)
    return see_other("/security?notice=disabled")


@router.post("/security/remove")
async def remove(auth: TheAuth, visitor: TheVisitor, form: TheForm) -> Response:
    """Remove one of several authenticators."""
    form.only(csrf.FIELD, "authenticator_id", "code", "backup_code")
    which = AuthenticatorId(number(form.required("authenticator_id")))
    await secondfactor.remove(auth, visitor.me, which, form.second_factor(), visitor.client)
    return see_other("/security?notice=removed")


@router.post("/security/rename")
async def rename(auth: TheAuth, visitor: TheVisitor, form: TheForm) -> Response:
    """Give an authenticator another name."""
    form.only(csrf.FIELD, "authenticator_id", "name")
    which = AuthenticatorId(number(form.required("authenticator_id")))
    name = typed.authenticator_name(form.required("name"))
    await totp.rename(auth, visitor.me.user.id, which, name, visitor.client)
    return see_other("/security?notice=renamed")


@router.post("/security/backup-codes")
async def regenerate(auth: TheAuth, visitor: TheVisitor, form: TheForm) -> Response:
    """Make a new set of backup codes, and show it this once."""
    form.only(csrf.FIELD, "password", "code")
    password, code = typed.password(form.required("password")), typed.totp_code(form.required("code"))
    codes = await secondfactor.regenerate(auth, visitor.me, password, code, visitor.client)
    return page(auth, "backup_codes.html", visitor=visitor, codes=codes)


@router.post("/security/step-up")
async def step_up(auth: TheAuth, visitor: TheVisitor, form: TheForm) -> Response:
    """Prove again who is sitting there."""
    form.only(csrf.FIELD, "password", "code", "backup_code")
    renewed = await secondfactor.step_up(auth, visitor.me, form.proof(), visitor.client)
    answer = see_other("/security?notice=stepped-up")
    cookies.set_session(answer, auth.settings, renewed.token)
    return answer


@router.post("/security/password")
async def change_password(auth: TheAuth, visitor: TheVisitor, form: TheForm) -> Response:
    """Give the account another password."""
    form.only(csrf.FIELD, "current_password", "new_password", "code")
    current, new = typed.password(form.required("current_password")), typed.password(form.required("new_password"))
    text = form.optional("code")
    code = typed.totp_code(text) if text is not None else None
    await account.change_password(auth, visitor.me, current, new, code, visitor.client)
    return see_other("/security?notice=password")


@router.post("/security/sessions/end")
async def end_session(auth: TheAuth, visitor: TheVisitor, form: TheForm) -> Response:
    """End one of the account's sessions."""
    form.only(csrf.FIELD, "session_id")
    which = SessionId(number(form.required("session_id")))
    await sessions.end(auth, visitor.me, which, visitor.client)
    return see_other("/security?notice=session-ended")


@router.post("/security/sessions/end-others")
async def end_other_sessions(auth: TheAuth, visitor: TheVisitor, form: TheForm) -> Response:
    """End all of the account's sessions but this one."""
    form.only(csrf.FIELD)
    await sessions.end_others(auth, visitor.me, visitor.client)
    return see_other("/security?notice=sessions-ended")


async def _page_again(request: Request, refusal: Refused) -> Response:
    """Show a refusal on the page that the form was on; what keeps that page away as well is raised anew."""
    auth = caller.the_auth(request)
    visitor = await the_visitor(request, auth)
    told = tell(refusal, auth.settings)
    place = request.scope["path"].removeprefix("/security/").partition("/")[0]
    if isinstance(refusal, StepUpRequired) or place == "step-up":
        return await _step_up_page(auth, visitor, told)
    if place == "confirm" and (await secondfactor.status(auth, visitor.me)).setup_pending:
        return _setup_page(auth, visitor, await _setup_again(auth, visitor), told)
    return await _security_page(auth, visitor, told=told, place=place, form=await the_form(request))


async def _setup_again(auth: Auth, visitor: Visitor) -> Setup | None:
    """Return the pending set-up once more, or ``None`` when the proof has meanwhile become too old to show it."""
    try:
        return await secondfactor.setup(auth, visitor.me, None, new_secret=False, client=visitor.client)
    except StepUpRequired:
        return None


def _setup_page(auth: Auth, visitor: Visitor, setup: Setup | None, told: Told | None = None) -> Response:
    return page(auth, "setup.html", told=told, visitor=visitor, setup=setup)


async def _step_up_page(auth: Auth, visitor: Visitor, told: Told) -> Response:
    status = await secondfactor.status(auth, visitor.me)
    return page(auth, "step_up.html", told=told, visitor=visitor, is_enabled=status.enabled)


async def _security_page(
    auth: Auth,
    visitor: Visitor,
    *,
    notice: str | None = None,
    told: Told | None = None,
    place: str | None = None,
    form: Form | None = None,
) -> Response:
    """Return the page; ``place`` names the form that was refused, and ``form`` is what was in it."""
    return page(
        auth,
        "security.html",
        told=told,
        notice=notice,
        visitor=visitor,
        status=await secondfactor.status(auth, visitor.me),
        sessions=await sessions.listed(auth, visitor.me),
        place=place,
        place_id=form.optional("authenticator_id") if form else None,
        name=form.optional("name") if form else None,
    )
