"""What the links in mails are for, for whoever has pages of their own."""

from fastapi import APIRouter, Response

from umbra.api.caller import TheAuth, TheClient
from umbra.api.forms import ResetForm, ResetRequestForm, UndoForm
from umbra.api.route import StrictRoute
from umbra.core import typed
from umbra.signin import mailed

router = APIRouter(route_class=StrictRoute, tags=["Links in mails"])


@router.post("/password/reset-request", status_code=202)
async def request_reset(form: ResetRequestForm, auth: TheAuth, client: TheClient) -> Response:
    """Mail the account of a name a link to set its password anew; the answer says nothing of whether there is one."""
    await mailed.request_reset(auth, typed.username(form.username), client)
    return Response(status_code=202)


@router.post("/password/reset", status_code=204)
async def reset_password(form: ResetForm, auth: TheAuth, client: TheClient) -> Response:
    """Set another password by the link of a mail."""
    await mailed.reset_password(auth, form.token, typed.password(form.new_password), client)
    return Response(status_code=204)


@router.post("/undo", status_code=204)
async def undo(form: UndoForm, auth: TheAuth, client: TheClient) -> Response:
    """Do what the link of a mail is for by which an owner keeps a stranger out."""
    await mailed.undo(auth, form.token, client)
    return Response(status_code=204)
