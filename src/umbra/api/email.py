from fastapi import APIRouter, Response

from umbra.api.answers import CodeMailedAnswer
from umbra.api.caller import TheAuth, TheCaller
from umbra.api.forms import ConfirmForm, NothingForm
from umbra.api.route import StrictRoute
from umbra.email_proofs import codes
from umbra.signin import addresses
from umbra.web.answer import JsonAnswer

router = APIRouter(prefix="/email", route_class=StrictRoute, tags=["Mail address"])


@router.post("/proof", status_code=202, responses={202: {"model": CodeMailedAnswer}})
async def send_code(auth: TheAuth, caller: TheCaller, _form: NothingForm | None = None) -> Response:
    """Mail a code to the account's address."""
    lifetime = await addresses.send_code(auth, caller.me, caller.client)
    return JsonAnswer({"expires_in": int(lifetime.total_seconds())}, 202)


@router.post("/proof/confirm", status_code=204)
async def prove(form: ConfirmForm, auth: TheAuth, caller: TheCaller) -> Response:
    """Prove with the code that this session reads the account's mail."""
    await addresses.prove(auth, caller.me, codes.parse(form.code), caller.client)
    return Response(status_code=204)
