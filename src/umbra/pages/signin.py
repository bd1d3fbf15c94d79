"""First run, registration, sign-in, sign-out."""

from datetime import timedelta

from fastapi import APIRouter, Depends, Request, Response

from umbra.challenge.errors import ChallengeRefused
from umbra.core import typed
from umbra.core.errors import NotFound, Refused
from umbra.core.secret import Secret
from umbra.pages import csrf
from umbra.pages.addresses import local
from umbra.pages.forms import Form
from umbra.pages.messages import Told, notice_of
from umbra.pages.route import PageRoute, admit
from umbra.pages.site import CODE_STEP, CODE_STEP_PATH, Site, TheSite, go_on
from umbra.pages.visitor import TheClient, TheForm, TheVisitor, is_signed_in, lone_cookie
from umbra.sessions import flows as sessions
from umbra.sessions.errors import NotAuthenticated
from umbra.signin import account, flows
from umbra.signin.flows import CodeRequired, SignedIn
from umbra.web import cookies

router = APIRouter(route_class=PageRoute, dependencies=[Depends(admit)])

FIRST_RUN_LIFETIME = timedelta(hours=1)


@router.get("/first-run")
async def first_run(request: Request, site: TheSite) -> Response:
    """Show the form for the first account to whoever has the address that the server printed.

    The token goes from the address into a cookie at once, so that no page has it in its address.
    """
    shown = request.query_params.get("token")
    if not await account.may_first_run(site.auth, _first_run_token(request, site) if shown is None else shown):
        return _first_run_over(site)
    if shown is None:
        return _account_page(site, "first_run.html")
    answer = site.see_other("/first-run")
    answer.headers["Referrer-Policy"] = "no-referrer"
    cookies.set_for(answer, site.auth.settings, cookies.FIRST_RUN, Secret(shown), FIRST_RUN_LIFETIME)
    return answer


@router.post("/first-run")
async def make_first_account(request: Request, site: TheSite, client: TheClient, form: TheForm) -> Response:
    """Make the first account."""
    token = _first_run_token(request, site)
    if not await account.may_first_run(site.auth, token):
        return _first_run_over(site)
    try:
        username, password, email = _new_account(form)
        await account.first_run(site.auth, token, username, password, email, client)
    except NotFound:
        return _first_run_over(site)
    except Refused as refusal:
        return _account_page(site, "first_run.html", refusal, form)
    answer = site.see_other("/sign-in", notice="first-run")
    cookies.clear(answer, site.auth.settings, cookies.FIRST_RUN)
    return answer


async def refuse_when_closed(site: TheSite) -> None:
    """Have no registration page where registration is closed.

    Raises:
        NotFound: It is.
    """
    if site.auth.settings.registration != "open":
        raise NotFound


@router.get("/register", dependencies=[Depends(refuse_when_closed)])
async def register(site: TheSite) -> Response:
    """Show the form for an account."""
    return _account_page(site, "register.html")


@router.post("/register", dependencies=[Depends(refuse_when_closed)])
async def make_account(site: TheSite, client: TheClient, form: TheForm) -> Response:
    """Make an account. Signs nobody in."""
    try:
        username, password, email = _new_account(form)
        await account.register(site.auth, username, password, email, client)
    except Refused as refusal:
        return _account_page(site, "register.html", refusal, form)
    return site.see_other("/sign-in", notice="registered")


@router.get("/sign-in")
async def sign_in(request: Request, site: TheSite) -> Response:
    """Show the form for the password step."""
    next_ = local(request.query_params.get("next"))
    if await is_signed_in(request, site.auth):
        return go_on(next_ or site.path("/security"))
    return _sign_in_page(site, notice=notice_of(request, site.words), next_=next_)


@router.post("/sign-in")
async def take_password(site: TheSite, client: TheClient, form: TheForm) -> Response:
    """Take the password step."""
    next_ = local(form.optional("next"))
    try:
        form.only("username", "password", "next")
        username, password = _credentials(form)
        outcome = await flows.login(site.auth, username, password, client)
    except Refused as refusal:
        told = site.tell(refusal, "sign-in", form)
        return _sign_in_page(site, told, username=form.optional("username"), next_=next_)
    return admitted(site, outcome, next_)


@router.get(CODE_STEP_PATH, name=CODE_STEP)
async def code_step(request: Request, site: TheSite) -> Response:
    """Show the form for the code step to a browser that is behind a right password."""
    next_ = local(request.query_params.get("next"))
    if lone_cookie(request, site.auth, cookies.CHALLENGE) is None:
        if not site.has_sign_in_page:
            raise NotAuthenticated
        return site.to_sign_in(next_)
    return _code_page(site, is_backup=request.query_params.get("with") == "backup-code", next_=next_)


@router.post("/sign-in/code")
async def take_code(request: Request, site: TheSite, client: TheClient, form: TheForm) -> Response:
    """Take the code step."""
    next_ = local(form.optional("next"))
    mfa_token = lone_cookie(request, site.auth, cookies.CHALLENGE) or ""
    try:
        form.only("code", "backup_code", "next")
        outcome = await flows.verify(site.auth, mfa_token, form.second_factor(), client)
    except ChallengeRefused as refusal:
        return _begin_again(site, site.tell(refusal), next_)
    except Refused as refusal:
        told = site.tell(refusal, "code", form)
        is_backup = form.has("backup_code") and not form.has("code")
        return _code_page(site, told, is_backup=is_backup, next_=next_)
    answer = _signed_in(site, outcome, next_)
    cookies.clear(answer, site.auth.settings, cookies.CHALLENGE)
    return answer


@router.post("/sign-out")
async def sign_out(site: TheSite, visitor: TheVisitor, form: TheForm) -> Response:
    """End this session."""
    form.only(csrf.FIELD)
    await sessions.sign_out(site.auth, visitor.me, visitor.client)
    gone = site.to_sign_in(notice="signed-out") if site.has_sign_in_page else site.see_other("/security")
    cookies.clear_session(gone, site.auth.settings)
    return gone


def admitted(site: Site, outcome: SignedIn | CodeRequired, next_: str | None) -> Response:
    """Send on whoever has taken the first step: to where they wanted to go, or to the code step.

    What the code step needs stands in a cookie, which no address shows and no page holds.
    """
    if isinstance(outcome, SignedIn):
        return _signed_in(site, outcome, next_)
    answer = site.see_other("/sign-in/code", next=next_)
    cookies.set_for(answer, site.auth.settings, cookies.CHALLENGE, outcome.mfa_token, outcome.expires_in)
    return answer


def _first_run_token(request: Request, site: Site) -> str:
    return lone_cookie(request, site.auth, cookies.FIRST_RUN) or ""


def _first_run_over(site: Site) -> Response:
    answer = site.page("first_run_over.html")
    answer.status_code = 404
    return answer


def _credentials(form: Form) -> tuple[str, Secret[str]]:
    return typed.username(form.required("username")), typed.password(form.required("password"))


def _new_account(form: Form) -> tuple[str, Secret[str], str | None]:
    form.only("username", "email", "password")
    email = form.optional("email")
    return *_credentials(form), typed.email(email) if email is not None else None


def _account_page(site: Site, template: str, refusal: Refused | None = None, form: Form | None = None) -> Response:
    told = None if refusal is None else site.tell(refusal, "account", form)
    username, email = (form.optional("username"), form.optional("email")) if form else (None, None)
    return site.page(template, told=told, username=username, email=email)


def _sign_in_page(
    site: Site,
    told: Told | None = None,
    *,
    notice: str | None = None,
    username: str | None = None,
    next_: str | None = None,
) -> Response:
    return site.page("sign_in.html", told=told, notice=notice, username=username, next=next_)


def _code_page(site: Site, told: Told | None = None, *, is_backup: bool, next_: str | None) -> Response:
    return site.page("code.html", told=told, is_backup=is_backup, next=next_)


def _begin_again(site: Site, told: Told, next_: str | None) -> Response:
    """Show whose sign-in is over where to start again."""
    if site.pages.hosts_own.login:
        answer: Response = site.page("refused.html", told=told)
    else:
        answer = _sign_in_page(site, told, next_=next_)
    cookies.clear(answer, site.auth.settings, cookies.CHALLENGE)
    return answer


def _signed_in(site: Site, outcome: SignedIn, next_: str | None) -> Response:
    used_backup_code = outcome.backup_codes_remaining is not None
    at_home = site.path("/security", notice="backup-code" if used_backup_code else None)
    answer = go_on(next_ or at_home)
    cookies.set_session(answer, site.auth.settings, outcome.token)
    cookies.set_browser(answer, site.auth.settings, outcome.browser_token)
    return answer
