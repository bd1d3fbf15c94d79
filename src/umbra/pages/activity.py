"""Where an account is signed in, what has happened to it, and what to do about what was not its owner."""

from fastapi import APIRouter, Depends, Request, Response

from umbra.audit import store as audit
from umbra.core.ids import SessionId
from umbra.pages import csrf, history
from umbra.pages.forms import Form
from umbra.pages.messages import Told, notice_of
from umbra.pages.returning import returning_to
from umbra.pages.route import admit
from umbra.pages.site import Site, TheSite, go_on
from umbra.pages.visitor import TheForm, TheVisitor, Visitor
from umbra.sessions import flows as sessions
from umbra.signin import account
from umbra.web.ids import number

MOST_SESSIONS = 20
EVENTS_PER_PAGE = 25
"""As many as fit on a page of less than 50 kB."""


async def again(site: Site, visitor: Visitor, told: Told, _form: Form) -> Response:
    """Show a refusal on the list of sessions."""
    return await _sessions_page(site, visitor, told=told)


router = APIRouter(route_class=returning_to(again), dependencies=[Depends(admit)])


@router.get("/security/sessions")
async def list_sessions(request: Request, site: TheSite, visitor: TheVisitor) -> Response:
    """Show where the account is signed in."""
    return await _sessions_page(site, visitor, notice=notice_of(request, site.words))


@router.post("/security/sessions/end")
async def end_session(site: TheSite, visitor: TheVisitor, form: TheForm) -> Response:
    """End one of the account's sessions."""
    form.only(csrf.FIELD, "session_id")
    which = SessionId(number(form.required("session_id")))
    await sessions.end(site.auth, visitor.me, which, visitor.client)
    return site.see_other("/security/sessions", notice="session-ended")


@router.post("/security/sessions/end-others")
async def end_other_sessions(site: TheSite, visitor: TheVisitor, form: TheForm) -> Response:
    """End all of the account's sessions but this one."""
    form.only(csrf.FIELD)
    await sessions.end_others(site.auth, visitor.me, visitor.client)
    return site.see_other("/security/sessions", notice="sessions-ended")


@router.get("/security/activity")
async def activity(request: Request, site: TheSite, visitor: TheVisitor) -> Response:
    """Show what has happened to the account."""
    before = request.query_params.get("before")
    found = await audit.newest(
        site.auth.db, EVENTS_PER_PAGE + 1, visitor.me.user.id, before=number(before) if before else None
    )
    events = found[:EVENTS_PER_PAGE]
    older = events[-1].id if len(found) > EVENTS_PER_PAGE else None
    lines = [history.line(event) for event in events]
    return site.page("activity.html", visitor=visitor, lines=lines, older=older, is_first=before is None)


@router.get("/security/not-me")
async def not_me(site: TheSite, visitor: TheVisitor) -> Response:
    """Say what is done for somebody who does not recognise what has happened."""
    return site.page("not_me.html", visitor=visitor)


@router.post("/security/not-me")
async def keep_them_out(site: TheSite, visitor: TheVisitor, form: TheForm) -> Response:
    """End every other session, and lead to a new password."""
    form.only(csrf.FIELD)
    await account.keep_others_out(site.auth, visitor.me, visitor.client)
    hosts_own = site.pages.hosts_own
    if hosts_own.new_password is not None:
        return go_on(hosts_own.new_password)
    return site.see_other("/security" if hosts_own.accounts else "/security/account", notice="not-me")


async def _sessions_page(
    site: Site, visitor: Visitor, *, notice: str | None = None, told: Told | None = None
) -> Response:
    """Return the page; this session stands first, and of the others those that were used last."""
    mine = await sessions.listed(site.auth, visitor.me)
    others = [one for one in mine if one.id != visitor.me.session.id]
    shown = [visitor.me.session, *others[: MOST_SESSIONS - 1]]
    more = len(others) - len(shown) + 1
    return site.page("sessions.html", told=told, notice=notice, visitor=visitor, sessions=shown, more=more)
