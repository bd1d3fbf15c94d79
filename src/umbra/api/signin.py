from fastapi import APIRouter, Depends, Request, Response

from umbra.api import answers
from umbra.api.answers import CodeRequiredAnswer, RegisteredAnswer, SignedInAnswer, WhoAnswer
from umbra.api.caller import TheAuth, TheCaller, TheClient, refuse_foreign_sign_in
from umbra.api.forms import Delivery, LoginForm, NothingForm, RegisterForm, VerifyForm
from umbra.api.route import StrictRoute
from umbra.auth import Auth
from umbra.core import typed
from umbra.core.events import Client
from umbra.sessions import flows as sessions
from umbra.signin import account, flows
from umbra.signin.flows import CodeRequired, SignedIn
from umbra.web import caller, cookies, host
from umbra.web.answer import JsonAnswer

router = APIRouter(route_class=StrictRoute, tags=["Signing in"])


@router.post("/register", status_code=201, responses={201: {"model": RegisteredAnswer}})
async def register(form: RegisterForm, auth: TheAuth, client: TheClient) -> Response:
    """Make an account, where registration is open."""
    user = await account.register(
        auth,
        typed.username(form.username),
        typed.password(form.password),
        typed.email(form.email) if form.email is not None else None,
        client,
    )
    return JsonAnswer({"user": answers.user(user)}, 201)


@router.post(
    "/login",
    responses={200: {"model": SignedInAnswer | CodeRequiredAnswer}},
    dependencies=[Depends(refuse_foreign_sign_in)],
)
async def login(request: Request, form: LoginForm, auth: TheAuth, client: TheClient) -> Response:
    """Take the password step."""
    username, password = typed.username(form.username), typed.password(form.password)
    outcome = await flows.login(auth, username, password, _as_kept(request, client, form.delivery))
    return await answer_to(request, auth, outcome, form.delivery)


@router.post("/totp-verify", responses={200: {"model": SignedInAnswer}}, dependencies=[Depends(refuse_foreign_sign_in)])
async def totp_verify(request: Request, form: VerifyForm, auth: TheAuth, client: TheClient) -> Response:
    """Take the code step."""
    outcome = await flows.verify(auth, form.mfa_token, form.second_factor(), _as_kept(request, client, form.delivery))
    return await _signed_in(request, auth, outcome, form.delivery)


@router.post("/logout", status_code=204)
async def logout(auth: TheAuth, caller: TheCaller, _form: NothingForm | None = None) -> Response:
    """End this session."""
    await sessions.sign_out(auth, caller.me, caller.client)
    gone = Response(status_code=204)
    if caller.carrier == "cookie":
        cookies.clear_session(gone, auth.settings)
    return gone


@router.get("/session", responses={200: {"model": WhoAnswer}})
async def session(caller: TheCaller) -> Response:
    """Say who is signed in."""
    return JsonAnswer({"user": answers.user(caller.me.user), "session": answers.session(caller.me.session)})


async def answer_to(request: Request, auth: Auth, outcome: SignedIn | CodeRequired, delivery: Delivery) -> Response:
    """Return the answer to a first step."""
    if isinstance(outcome, CodeRequired):
        return JsonAnswer(answers.code_required(outcome))
    return await _signed_in(request, auth, outcome, delivery)


def _as_kept(request: Request, client: Client, delivery: Delivery) -> Client:
    """Return the client with what it will be recognised by; a host that answers itself sets no cookie of ours."""
    return caller.by_token(client) if delivery == "token" or host.around(request).issue is not None else client


async def _signed_in(request: Request, auth: Auth, outcome: SignedIn, delivery: Delivery) -> Response:
    around = host.around(request)
    if around.issue is not None:
        return await around.issue(request, outcome)
    body: SignedInAnswer = {
        "status": "signed_in",
        "user": answers.user(outcome.current.user),
        "session": answers.session(outcome.current.session),
    }
    if outcome.backup_codes_remaining is not None:
        body["backup_codes_remaining"] = outcome.backup_codes_remaining
    if around.must_enrol is not None and await around.must_enrol(outcome):
        body["enrolment_required"] = True
    if delivery == "token":
        body["token"] = outcome.token.reveal()
        return JsonAnswer(body)
    signed_in = JsonAnswer(body)
    cookies.set_session(signed_in, auth.settings, outcome.token)
    cookies.set_browser(signed_in, auth.settings, outcome.browser_token)
    return signed_in
