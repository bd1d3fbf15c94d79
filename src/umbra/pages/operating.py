"""The pages on which operators look after other people's accounts. To everybody else there is nothing here."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus

from fastapi import APIRouter, Depends, Request, Response

from umbra import doctor
from umbra.audit.store import DONE
from umbra.auth import Auth
from umbra.core import typed
from umbra.core.errors import InvalidRequest, NotFound, Refused
from umbra.core.events import Event
from umbra.core.ids import UserId
from umbra.pages import csrf, history
from umbra.pages.forms import Form
from umbra.pages.messages import Told, notice_of
from umbra.pages.returning import returning_to
from umbra.pages.route import admit
from umbra.pages.site import Site, TheSite
from umbra.pages.visitor import TheForm, TheVisitor, Visitor
from umbra.signin import operating, secondfactor
from umbra.signin.operating import Operator
from umbra.totp.errors import NotEnabled
from umbra.web.ids import number
from umbra.words import marked

MOST_SESSIONS = 20
EVENTS_OF_ACCOUNT = 10
EVENTS_PER_PAGE = 20
"""As many as fit on a page of less than 50 kB."""

EVENTS = sorted(Event)
REASONS = [DONE, *sorted(history.REFUSED | history.REFUSED_TO_NOBODY)]


@dataclass(frozen=True, slots=True)
class Action:
    """Something that an operator may do to an account; ``name`` is what its form is called."""

    name: str
    path: str
    title: str
    effects: tuple[str, ...]
    run: Callable[[Auth, Operator, UserId], Awaitable[None]]

    async def ask(self, request: Request, site: TheSite, visitor: TheVisitor) -> Response:
        """Name the account, and say what would happen to it."""
        return await _confirmation(site, visitor, self, _account_id(request.query_params.get("account_id", "")))

    async def take(self, site: TheSite, visitor: TheVisitor, form: TheForm) -> Response:
        """Do it, once it is confirmed."""
        form.only(csrf.FIELD, "account_id")
        return await self.do(site, visitor, form)

    async def do(self, site: Site, visitor: Visitor, form: Form) -> Response:
        """Do it, and show the account as it is then; whoever has no second factor is led to set one up."""
        account_id = _account_id(form.required("account_id"))
        try:
            await self.run(site.auth, Operator(visitor.client, visitor.me), account_id)
        except NotEnabled:
            return site.see_other("/security", notice="enrolment")
        return site.see_other(f"/operator/accounts/{account_id}", notice=self.name)


ACTIONS = {
    action.name: action
    for action in (
        Action(
            "operator-end-sessions",
            "/operator/end-sessions",
            marked("End all sessions"),
            (
                marked("Every session ends at once, and so does every sign-in that has been begun."),
                marked("Signing in again is possible, with the password and the second factor as they are."),
            ),
            operating.end_sessions,
        ),
        Action(
            "operator-reset",
            "/operator/reset",
            marked("Reset the second factor"),
            (
                marked("Every authenticator and every backup code is removed, and wrong codes are forgotten."),
                marked("Every session ends at once; the next sign-in takes the password alone."),
            ),
            operating.reset_second_factor,
        ),
        Action(
            "operator-disable",
            "/operator/disable",
            marked("Disable the account"),
            (
                marked("Every session ends at once."),
                marked(
                    "From now on a right password is answered like a wrong one, until somebody enables the account."
                ),
            ),
            operating.disable,
        ),
        Action(
            "operator-enable",
            "/operator/enable",
            marked("Enable the account"),
            (
                marked("Signing in is possible again, with the password and the second factor as they were."),
                marked("What was ended stays ended."),
            ),
            operating.enable,
        ),
    )
}


async def operators_only(visitor: TheVisitor) -> None:
    """Have nothing here for anybody else.

    Raises:
        NotFound: They are no operator.
    """
    operating.refuse_others(visitor.me)


async def again(site: Site, visitor: Visitor, told: Told, form: Form) -> Response:
    """Show a refusal where the account is named, to operators and of accounts that there are."""
    action = ACTIONS.get(told.place or "")
    try:
        operating.refuse_others(visitor.me)
        account_id = _account_id(form.required("account_id"))
        if action is None or told.status == HTTPStatus.NOT_FOUND:
            return site.page("refused.html", told=told)
        return await _confirmation(site, visitor, action, account_id, told)
    except Refused:
        return site.page("refused.html", told=told)


router = APIRouter(route_class=returning_to(again), dependencies=[Depends(admit), Depends(operators_only)])


@router.get("/operator")
async def search(request: Request, site: TheSite, visitor: TheVisitor) -> Response:
    """Find accounts by the beginning of their name or mail address."""
    text = request.query_params.get("search", "")
    if not text.strip():
        return site.page("operator_search.html", visitor=visitor, search="", found=None)
    try:
        found = await operating.search(site.auth, typed.search(text))
    except InvalidRequest as refusal:
        told = site.tell(refusal, "operator", Form({"search": text}))
        return site.page("operator_search.html", told=told, visitor=visitor, search="", found=None)
    return site.page("operator_search.html", visitor=visitor, search=text, found=found)


@router.get("/operator/accounts/{account_id}")
async def account(request: Request, site: TheSite, visitor: TheVisitor, account_id: str) -> Response:
    """Show an account, and what can be done to it."""
    user_id = _account_id(account_id)
    seen = await operating.look_at(site.auth, user_id)
    events = await operating.events(site.auth, EVENTS_OF_ACCOUNT, user_id, before=None, event=None, reason=None)
    mine = await secondfactor.status(site.auth, visitor.me)
    return site.page(
        "operator_account.html",
        notice=notice_of(request, site.words),
        visitor=visitor,
        seen=seen,
        shown_sessions=seen.sessions[:MOST_SESSIONS],
        lines=[history.line(event) for event in events],
        names=await operating.names_in(site.auth, events),
        is_own=user_id == visitor.me.user.id,
        may_act=mine.enabled,
    )


@router.get("/operator/events")
async def events(request: Request, site: TheSite, visitor: TheVisitor) -> Response:
    """Show what has happened, to all accounts or to one."""
    given = request.query_params
    asked = {name: given.get(name) or None for name in ("event", "reason", "account")}
    if asked["event"] not in {None, *EVENTS} or asked["reason"] not in {None, *REASONS}:
        raise NotFound
    user_id = _account_id(asked["account"]) if asked["account"] else None
    before = number(given["before"]) if given.get("before") else None
    found = await operating.events(
        site.auth, EVENTS_PER_PAGE + 1, user_id, before=before, event=asked["event"], reason=asked["reason"]
    )
    shown = found[:EVENTS_PER_PAGE]
    return site.page(
        "operator_events.html",
        visitor=visitor,
        lines=[history.line(event) for event in shown],
        names=await operating.names_in(site.auth, shown),
        asked=asked,
        whose=None if user_id is None else await operating.account_of(site.auth, user_id),
        older=shown[-1].id if len(found) > EVENTS_PER_PAGE else None,
        is_first=before is None,
        events=EVENTS,
        reasons=REASONS,
    )


@router.get("/operator/health")
async def health(site: TheSite, visitor: TheVisitor) -> Response:
    """Show what ``umbra doctor`` says."""
    return site.page("operator_health.html", visitor=visitor, findings=await doctor.examine(site.auth))


for _action in ACTIONS.values():
    router.add_api_route(_action.path, _action.ask, methods=["GET"])
    router.add_api_route(_action.path, _action.take, methods=["POST"])


async def _confirmation(
    site: Site, visitor: Visitor, action: Action, account_id: UserId, told: Told | None = None
) -> Response:
    account = await operating.account_of(site.auth, account_id)
    return site.page("operator_confirm.html", told=told, visitor=visitor, action=action, account=account)


def _account_id(text: str) -> UserId:
    return UserId(number(text))
