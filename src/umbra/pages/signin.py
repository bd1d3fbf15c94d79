"""First run, registration, sign-in, sign-out."""

from dataclasses import replace

from fastapi import APIRouter, Depends, Request, Response

from umbra.auth import Auth
from umbra.challenge.errors import ChallengeRefused
from umbra.core import typed
from umbra.core.errors import NotFound, Refused
from umbra.core.secret import Secret
from umbra.pages import csrf
from umbra.pages.forms import Form
from umbra.pages.messages import Told, notice_of, tell
from umbra.pages.render import page, see_other
from umbra.pages.route import PageRoute
from umbra.pages.visitor import TheAuth, TheClient, TheForm, TheVisitor, is_signed_in
from umbra.sessions import flows as sessions
from umbra.signin import account, flows
from umbra.signin.flows import CodeRequired, SignedIn
from umbra.web import cookies

router = APIRouter(route_class=PageRoute)


@router.get("/first-run")
async def first_run(request: Request, auth: TheAuth) -> Response:
    """Show the form for the first account to whoever has the address that the server printed."""
    if not await account.may_first_run(auth, _first_run_token(request)):
        return _first_run_over(auth)
    return _account_page(auth, "first_run.html")


@router.post("/first-run")
async def make_first_account(request: Request, auth: TheAuth, client: TheClient, form: TheForm) -> Response:
    """Make the first account."""
    token = _first_run_token(request)
    if not await account.may_first_run(auth, token):
        return _first_run_over(auth)
    try:
        username, password, email = _new_account(form)
        await account.first_run(auth, token, username, password, email, client)
    except NotFound:
        return _first_run_over(auth)
    except Refused as refusal:
        return _account_page(auth, "first_run.html", tell(refusal, auth.settings), form)
    return see_other("/sign-in?notice=first-run")


async def refuse_when_closed(auth: TheAuth) -> None:
    """Have no registration page where registration is closed.

    Raises:
        NotFound: It is.
    """
    if auth.settings.registration != "open":
        raise NotFound


@router.get("/register", dependencies=[Depends(refuse_when_closed)])
async def register(auth: TheAuth) -> Response:
    """Show the form for an account."""
    return _account_page(auth, "register.html")


@router.post("/register", dependencies=[Depends(refuse_when_closed)])
async def make_account(auth: TheAuth, client: TheClient, form: TheForm) -> Response:
    """Make an account. Signs nobody in."""
    try:
        username, password, email = _new_account(form)
        await account.register(auth, username, password, email, client)
    except Refused as refusal:
        return _account_page(auth, "register.html", tell(refusal, auth.settings), form)
    return see_other("/sign-in?notice=registered")


@router.get("/sign-in")
async def sign_in(request: Request, auth: TheAuth) -> Response:
    """Show the form for the password step."""
    if await is_signed_in(request, auth):
        return see_other("/security")
    return _sign_in_page(auth, notice=notice_of(request))


@router.post("/sign-in")
async def take_password(auth: TheAuth, client: TheClient, form: TheForm) -> Response:
    """Take the password step."""
    try:
        form.only("username", "password")
        username, password = typed.username(form.required("username")), typed.password(form.required("password"))
        outcome = await flows.login(auth, username, password, client)
    except Refused as refusal:
        return _sign_in_page(auth, tell(refusal, auth.settings), username=form.optional("username"))
    if isinstance(outcome, CodeRequired):
        return page(auth, "code.html", mfa_token=outcome.mfa_token.reveal(), is_backup=False)
    return _signed_in(auth, outcome)


@router.get("/sign-in/code")
async def begin_again() -> Response:
    """Send on who opens the code step by its address: it has a page only behind a right password."""
    return see_other("/sign-in")


@router.post("/sign-in/code")
async def take_code(auth: TheAuth, client: TheClient, form: TheForm) -> Response:
    """Take the code step."""
    mfa_token = form.optional("mfa_token") or ""
    try:
        form.only("mfa_token", "code", "backup_code")
        outcome = await flows.verify(auth, mfa_token, form.second_factor(), client)
    except ChallengeRefused as refusal:
        return _sign_in_page(auth, tell(refusal, auth.settings))
    except Refused as refusal:
        told = tell(refusal, auth.settings)
        is_backup = form.optional("code") is None and form.optional("backup_code") is not None
        return page(auth, "code.html", told=told, mfa_token=mfa_token, is_backup=is_backup)
    return _signed_in(auth, outcome)


@router.post("/sign-out")
async def sign_out(auth: TheAuth, visitor: TheVisitor, form: TheForm) -> Response:
    """End this session."""
    form.only(csrf.FIELD)
    await sessions.sign_out(auth, visitor.me, visitor.client)
    gone = see_other("/sign-in?notice=signed-out")
    cookies.clear_session(gone, auth.settings)
    return gone


def _first_run_token(request: Request) -> str:
    return request.query_params.get("token", "")


def _first_run_over(auth: Auth) -> Response:
    told = replace(
        tell(NotFound(), auth.settings), title="No longer good", text="It was used, or the server has printed another."
    )
    return page(auth, "first_run_over.html", told=told)


def _new_account(form: Form) -> tuple[str, Secret[str], str | None]:
    form.only("username", "email", "password")
    email = form.optional("email")
    return (
        typed.username(form.required("username")),
        typed.password(form.required("password")),
        typed.email(email) if email is not None else None,
    )


def _account_page(auth: Auth, template: str, told: Told | None = None, form: Form | None = None) -> Response:
    username, email = (form.optional("username"), form.optional("email")) if form else (None, None)
    return page(auth, template, told=told, username=username, email=email)


def _sign_in_page(
    auth: Auth, told: Told | None = None, *, notice: str | None = None, username: str | None = None
) -> Response:
    return page(auth, "sign_in.html", told=told, notice=notice, username=username)


def _signed_in(auth: Auth, outcome: SignedIn) -> Response:
    used_backup_code = outcome.backup_codes_remaining is not None
    answer = see_other("/security?notice=backup-code" if used_backup_code else "/security")
    cookies.set_session(answer, auth.settings, outcome.token)
    cookies.set_browser(answer, auth.settings, outcome.browser_token)
    return answer
