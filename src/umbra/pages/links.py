"""Where the links in mails lead: pages that do nothing until their button is pressed.

Programs follow every link of a mail, so a GET changes nothing. The token goes from the address into a cookie at once,
so that no page has it in its address and no other site is told of it.
"""

from datetime import timedelta

from fastapi import APIRouter, Depends, Request, Response

from umbra.core import typed
from umbra.core.errors import Refused
from umbra.core.secret import Secret
from umbra.links.errors import LinkRefused
from umbra.links.purposes import PAGES, Purpose
from umbra.links.store import Link
from umbra.pages.messages import Told, notice_of
from umbra.pages.route import PageRoute, admit
from umbra.pages.site import Site, TheSite
from umbra.pages.visitor import TheClient, TheForm, lone_cookie
from umbra.signin import mailed
from umbra.web import cookies

KEPT_FOR = timedelta(minutes=30)
"""How long a browser keeps the token of a page that nobody presses the button of."""


async def refuse_without_mail(site: TheSite) -> None:
    """Have no such pages where there is no mail server.

    Raises:
        NotFound: There is none.
    """
    mailed.refuse_without_mail(site.auth)


router = APIRouter(route_class=PageRoute, dependencies=[Depends(admit), Depends(refuse_without_mail)])


@router.get("/password/forgot")
async def forgot(request: Request, site: TheSite) -> Response:
    """Ask whose password it is."""
    return _forgot_page(site, notice=notice_of(request, site.words))


@router.post("/password/forgot")
async def request_reset(site: TheSite, client: TheClient, form: TheForm) -> Response:
    """Mail a link, if there is somebody to mail it to; the answer is the same if there is not."""
    try:
        form.only("username")
        await mailed.request_reset(site.auth, typed.username(form.required("username")), client)
    except Refused as refusal:
        return _forgot_page(site, site.tell(refusal, "forgot", form), username=form.optional("username"))
    return site.see_other("/password/forgot", notice="reset-requested")


@router.get("/password/reset")
async def reset(request: Request, site: TheSite) -> Response:
    """Show the form for the new password to whoever has followed the link."""
    shown = request.query_params.get("token")
    try:
        link = await mailed.look(site.auth, _token(request, site) if shown is None else shown, mailed.RESET)
    except LinkRefused as refusal:
        return _over(site, refusal, "/password/forgot")
    return _reset_page(site, link) if shown is None else _put_away(site, link, shown)


@router.post("/password/reset")
async def set_password(request: Request, site: TheSite, client: TheClient, form: TheForm) -> Response:
    """Set the new password. Signs nobody in."""
    token = _token(request, site)
    try:
        link = await mailed.look(site.auth, token, mailed.RESET)
    except LinkRefused as refusal:
        return _over(site, refusal, "/password/forgot")
    try:
        form.only("new_password")
        await mailed.reset_password(site.auth, token, typed.password(form.required("new_password")), client)
    except LinkRefused as refusal:
        return _over(site, refusal, "/password/forgot")
    except Refused as refusal:
        return _reset_page(site, link, site.tell(refusal, "reset", form))
    answer = site.see_other("/sign-in", notice="password-reset")
    cookies.clear(answer, site.auth.settings, cookies.LINK)
    return answer


@router.get("/undo")
async def ask(request: Request, site: TheSite) -> Response:
    """Say what the link does, to whoever has followed it."""
    shown = request.query_params.get("token")
    try:
        link = await mailed.look(site.auth, _token(request, site) if shown is None else shown, mailed.UNDO)
    except LinkRefused as refusal:
        return _over(site, refusal)
    return site.page("undo.html", link=link) if shown is None else _put_away(site, link, shown)


@router.post("/undo")
async def undo(request: Request, site: TheSite, client: TheClient, form: TheForm) -> Response:
    """Do it."""
    form.only()
    try:
        done = await mailed.undo(site.auth, _token(request, site), client)
    except LinkRefused as refusal:
        return _over(site, refusal)
    answer = site.see_other("/sign-in", notice="restored" if done is Purpose.UNDO_REMOVAL else "undone")
    cookies.clear(answer, site.auth.settings, cookies.LINK)
    return answer


def _token(request: Request, site: Site) -> str:
    return lone_cookie(request, site.auth, cookies.LINK) or ""


def _put_away(site: Site, link: Link, token: str) -> Response:
    """Send the browser on to the page itself, with the token in a cookie."""
    answer = site.see_other(PAGES[link.purpose])
    answer.headers["Referrer-Policy"] = "no-referrer"
    cookies.set_for(answer, site.auth.settings, cookies.LINK, Secret(token), KEPT_FOR)
    return answer


def _over(site: Site, refusal: LinkRefused, another: str | None = None) -> Response:
    """Say that the link is not in use, and where there is another."""
    answer = site.page("link_refused.html", told=site.tell(refusal), another=another)
    cookies.clear(answer, site.auth.settings, cookies.LINK)
    return answer


def _forgot_page(
    site: Site, told: Told | None = None, *, notice: str | None = None, username: str | None = None
) -> Response:
    return site.page("forgot.html", told=told, notice=notice, username=username)


def _reset_page(site: Site, link: Link, told: Told | None = None) -> Response:
    return site.page("reset.html", told=told, username=link.user.username)
