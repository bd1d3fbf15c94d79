from fastapi import APIRouter, Response

from umbra.api import answers
from umbra.api.answers import (
    AuthenticatorAnswer,
    BackupCodesAnswer,
    ConfirmedAnswer,
    SetupAnswer,
    StatusAnswer,
)
from umbra.api.caller import TheAuth, TheCaller
from umbra.api.forms import ConfirmForm, DisableForm, ProofForm, RegenerateForm, RenameForm, SetupForm
from umbra.api.route import StrictRoute
from umbra.core import typed
from umbra.core.ids import AuthenticatorId
from umbra.signin import guesses, secondfactor
from umbra.totp import flows as totp
from umbra.web.answer import JsonAnswer
from umbra.web.ids import number

router = APIRouter(prefix="/totp", route_class=StrictRoute, tags=["Second factor"])


@router.get("/status", responses={200: {"model": StatusAnswer}})
async def status(auth: TheAuth, caller: TheCaller) -> Response:
    """Say how the second factor stands."""
    return JsonAnswer(answers.status(await secondfactor.status(auth, caller.me)))


@router.post("/setup", responses={200: {"model": SetupAnswer}})
async def setup(auth: TheAuth, caller: TheCaller, form: SetupForm | None = None) -> Response:
    """Begin, or go on with, the set-up of an authenticator."""
    wanted = form or SetupForm()
    name = typed.authenticator_name(wanted.name) if wanted.name is not None else None
    begun = await secondfactor.setup(auth, caller.me, name, new_secret=wanted.new_secret, client=caller.client)
    return JsonAnswer(answers.setup(begun))


@router.post("/confirm", responses={200: {"model": ConfirmedAnswer}})
async def confirm(form: ConfirmForm, auth: TheAuth, caller: TheCaller) -> Response:
    """Switch on the authenticator that was set up."""
    confirmed = await secondfactor.confirm(auth, caller.me, typed.totp_code(form.code), caller.client)
    response = JsonAnswer(
        {
            "enabled": True,
            "authenticator": answers.authenticator(confirmed.authenticator),
            "backup_codes": answers.shown(confirmed.backup_codes) if confirmed.backup_codes else None,
            **caller.token_member(confirmed.renewed.token),
        }
    )
    caller.hand_over(response, confirmed.renewed.token)
    return response


@router.post("/disable", status_code=204)
async def disable(form: DisableForm, auth: TheAuth, caller: TheCaller) -> Response:
    """Turn the second factor off."""
    await secondfactor.disable(auth, caller.me, typed.password(form.password), form.second_factor(), caller.client)
    return Response(status_code=204)


@router.post("/authenticators/{authenticator_id}/remove", status_code=204)
async def remove(authenticator_id: str, form: ProofForm, auth: TheAuth, caller: TheCaller) -> Response:
    """Remove one of several authenticators."""
    proof = form.second_factor()
    await guesses.refuse_malformed(auth, caller.me.user.id, proof)  # the form comes before the address
    which = AuthenticatorId(number(authenticator_id))
    await secondfactor.remove(auth, caller.me, which, proof, caller.client)
    return Response(status_code=204)


@router.patch("/authenticators/{authenticator_id}", responses={200: {"model": AuthenticatorAnswer}})
async def rename(authenticator_id: str, form: RenameForm, auth: TheAuth, caller: TheCaller) -> Response:
    """Give an authenticator another name."""
    name = typed.authenticator_name(form.name)
    which = AuthenticatorId(number(authenticator_id))
    return JsonAnswer(answers.authenticator(await totp.rename(auth, caller.me.user.id, which, name, caller.client)))


@router.post("/backup-codes/regenerate", responses={200: {"model": BackupCodesAnswer}})
async def regenerate(form: RegenerateForm, auth: TheAuth, caller: TheCaller) -> Response:
    """Make a new set of backup codes."""
    codes = await secondfactor.regenerate(
        auth, caller.me, typed.password(form.password), typed.totp_code(form.code), caller.client
    )
    return JsonAnswer({"backup_codes": answers.shown(codes)})
