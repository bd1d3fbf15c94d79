from fastapi import APIRouter, Response

from umbra.api import answers
from umbra.api.answers import RenewedAnswer, RevokedAnswer, SessionsAnswer
from umbra.api.caller import TheAuth, TheCaller
from umbra.api.forms import NothingForm, PasswordForm, StepUpForm
from umbra.api.route import StrictRoute
from umbra.core import typed
from umbra.core.ids import SessionId
from umbra.sessions import flows as sessions
from umbra.signin import account, secondfactor
from umbra.web.answer import JsonAnswer
from umbra.web.ids import number

router = APIRouter(route_class=StrictRoute, tags=["Step-up, sessions, account"])


@router.post("/step-up", responses={200: {"model": RenewedAnswer}})
async def step_up(form: StepUpForm, auth: TheAuth, caller: TheCaller) -> Response:
    """Prove again who is sitting there."""
    renewed = await secondfactor.step_up(auth, caller.me, form.proof(), caller.client)
    response = JsonAnswer({"session": answers.session(renewed.current.session), **caller.token_member(renewed.token)})
    caller.hand_over(response, renewed.token)
    return response


@router.get("/sessions", responses={200: {"model": SessionsAnswer}})
async def list_sessions(auth: TheAuth, caller: TheCaller) -> Response:
    """List where the account is signed in."""
    mine = await sessions.listed(auth, caller.me)
    return JsonAnswer({"sessions": [answers.session(one, current=one.id == caller.me.session.id) for one in mine]})


@router.delete("/sessions/{session_id}", status_code=204)
async def end_session(session_id: str, auth: TheAuth, caller: TheCaller) -> Response:
    """End one of the account's sessions."""
    await sessions.end(auth, caller.me, SessionId(number(session_id)), caller.client)
    return Response(status_code=204)


@router.post("/sessions/revoke-others", responses={200: {"model": RevokedAnswer}})
async def end_other_sessions(auth: TheAuth, caller: TheCaller, _form: NothingForm | None = None) -> Response:
    """End all of the account's sessions but this one."""
    return JsonAnswer({"revoked": await sessions.end_others(auth, caller.me, caller.client)})


@router.post("/password", status_code=204)
async def change_password(form: PasswordForm, auth: TheAuth, caller: TheCaller) -> Response:
    """Give the account another password."""
    await account.change_password(
        auth,
        caller.me,
        typed.password(form.current_password),
        typed.password(form.new_password),
        typed.totp_code(form.code) if form.code is not None else None,
        caller.client,
    )
    return Response(status_code=204)
