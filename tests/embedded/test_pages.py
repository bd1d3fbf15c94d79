"""The pages inside an application, as its developer put them there."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import FastAPI, Request, Response

from embedded import hosts
from embedded.hosts import Host
from pages.browsing import Browser, Page, sound
from support.people import API, BASE_URL, PERIOD
from umbra import Brand, Umbra
from umbra.core.clock import FixedClock
from umbra.core.errors import Misconfigured
from umbra.crypto.argon import HashingPool
from umbra.pages import router as pages_face
from umbra.testing import CHEAP

ANN = {"X-Single-Sign-On": "ann"}
PICTURE = b'<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><script>alert(1)</script></svg>'

Visited = Callable[..., AbstractAsyncContextManager[tuple[Host, Browser]]]


@pytest.fixture
def visited(sqlite_url: str, tmp_path: Path, clock: FixedClock) -> Visited:
    """Make an application with pages, and open a browser in front of it, in which ``ann`` has an account."""

    @asynccontextmanager
    async def made(**more: Any) -> AsyncIterator[tuple[Host, Browser]]:
        hashing = HashingPool(CHEAP, threads=2)
        engine = hosts.engine_of(f"sqlite:///{tmp_path}/host.db")
        host = hosts.application(engine, "uuid", clock, hashing, pages=True, **more)
        host.app.add_api_route("/open", _open(host), methods=["GET", "POST"])
        async with hosts.visited(host) as client:
            await host.add(1, "ann")
            yield host, Browser(client)
        hashing.close()

    return made


def _open(host: Host) -> Callable[[Request], Any]:
    async def opened(request: Request) -> Response:
        user = host.model(id=host.key_of(1), handle="ann")
        return await host.umbra.sign_in(request, user, delivery="page", next=request.query_params.get("next"))

    return opened


async def _enrolled(browser: Browser, clock: FixedClock) -> Callable[[], str]:
    """Set an authenticator up on the pages, and return what gives its next code."""
    begun = await browser.send(await browser.open(f"{API}/security"), f"{API}/security/setup", name="Phone")
    first = await browser.follow(begun)
    secret = first.codes[0].replace(" ", "")

    def code() -> str:
        clock.move(PERIOD)
        return hosts.code_of(secret, clock)

    page = await browser.open(f"{API}/security/confirm")
    codes = sound(await browser.send(page, f"{API}/security/confirm", code=code()))
    assert 10 == len(codes.codes)
    return code


async def test_the_hosts_own_login_ends_on_the_pages_and_goes_on_where_it_should(
    visited: Visited, clock: FixedClock
) -> None:
    async with visited() as (_, browser):
        signed_in = await browser.client.post("/open?next=/where")
        assert (303, "/where") == (signed_in.status_code, signed_in.headers["Location"])
        code = await _enrolled(browser, clock)
        browser.client.cookies.clear()

        asked = await browser.client.post("/open?next=/where")

        assert f"{API}/sign-in/code?next=%2Fwhere" == asked.headers["Location"]
        assert "Max-Age=300; HttpOnly; SameSite=Lax; Path=/" in asked.headers["Set-Cookie"]
        assert "umc_" not in asked.headers["Location"] + asked.text
        assert 401 == (await browser.client.get("/me")).status_code
        page = await browser.follow(asked)
        answer = await browser.send(page, f"{API}/sign-in/code", code=code())
        assert "/where" == answer.headers["Location"]
        assert 200 == (await browser.client.get("/me")).status_code


@pytest.mark.parametrize("elsewhere", ["", "?next=https://evil.example", "?next=//evil.example"])
async def test_without_a_path_of_this_site_the_way_leads_to_the_security_page(visited: Visited, elsewhere: str) -> None:
    async with visited() as (_, browser):
        assert f"{API}/security" == (await browser.client.post("/open" + elsewhere)).headers["Location"]


async def test_another_site_cannot_sign_a_browser_in(visited: Visited) -> None:
    async with visited() as (_, browser):
        refused = await browser.client.post("/open", headers={"Origin": "https://elsewhere.example"})
        assert (403, "origin_refused") == (refused.status_code, refused.json()["reason"])


async def test_the_way_back_from_single_sign_on_is_taken(visited: Visited) -> None:
    async with visited() as (_, browser):
        back = await browser.client.get("/open?next=/where", headers={"Sec-Fetch-Site": "cross-site"})
        assert (303, "/where") == (back.status_code, back.headers["Location"])
        assert 200 == (await browser.client.get("/me")).status_code


async def test_every_address_on_every_page_is_below_the_mount(visited: Visited, clock: FixedClock) -> None:
    async with visited() as (_, browser):
        await browser.client.post("/open")
        await _enrolled(browser, clock)
        for path in ("security", "security/sessions", "security/activity", "security/not-me", "security/step-up"):
            page = await browser.open(f"{API}/{path}")
            assert [] == [one for one in _addresses(page) if not one.startswith(API)]
            for link in {urlsplit(one).path for one in _addresses(page) if "/static/" in one}:
                assert 200 == (await browser.client.get(link)).status_code


async def test_a_mounted_application_has_its_pages_below_its_own_path(visited: Visited) -> None:
    async with visited() as (host, _):
        outer = FastAPI()
        outer.mount("/inner", host.app)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=outer), base_url=BASE_URL) as client:
            signed_in = await client.post("/inner/open")
            assert f"/inner{API}/security" == signed_in.headers["Location"]
            page = await Browser(client).follow(signed_in)
            assert [] == [one for one in _addresses(page) if not one.startswith(f"/inner{API}")]


async def test_accounts_and_passwords_that_are_the_hosts_have_no_pages_here(
    visited: Visited, clock: FixedClock
) -> None:
    async with visited() as (_, browser):
        for path in pages_face.ACCOUNTS | pages_face.PASSWORDS:
            answer = await browser.client.get(API + path)
            assert not answer.is_success, path
        await browser.client.post("/open")
        await _enrolled(browser, clock)
        page = await browser.open(f"{API}/security")
        assert "Account" not in page.text
        assert {f"{API}/sign-out", f"{API}/security/rename", f"{API}/security/setup"} == {
            form.action for form in page.forms
        }


async def test_passwords_that_the_host_looks_at_are_asked_for_where_one_is_wanted(
    visited: Visited, clock: FixedClock
) -> None:
    async def is_right(member: Any, password: str) -> bool:
        return (member.handle, password) == ("ann", "the host's own")

    async with visited(check_password=is_right) as (_, browser):
        await browser.client.post("/open")
        code = await _enrolled(browser, clock)
        page = await browser.open(f"{API}/security")
        assert f"{API}/security/disable" in {form.action for form in page.forms}
        sent = await browser.send(page, f"{API}/security/disable", password="the host's own", code=code())
        page = await browser.follow(sent)
        assert f"{API}/security/disable" not in {form.action for form in page.forms}


async def test_nobody_who_is_not_signed_in_is_sent_to_a_page_that_is_not_there(visited: Visited) -> None:
    async with visited() as (_, browser):
        page = sound(await browser.client.get(f"{API}/security"), 401)
        assert ["You are not signed in. Sign in, and come back."] == page.errors
        assert 401 == (await browser.client.get(f"{API}/sign-in/code")).status_code
    async with visited(sign_in_page="/welcome?from=umbra") as (_, browser):
        for path in ("/security/activity", "/sign-in/code?next=%2Fauth%2F"):
            sent = await browser.client.get(API + path)
            assert sent.headers["Location"].startswith("/welcome?from=umbra&next=%2F")


async def test_whoever_looks_at_a_page_of_the_hosts_is_led_to_what_it_wants_first(
    visited: Visited, clock: FixedClock
) -> None:
    html = {"Accept": "text/html,*/*"}
    async with visited(sign_in_page="/welcome") as (_, browser):
        get = browser.client.get
        assert "/welcome?next=%2Fvault%3Fdrawer%3D1" == (await get("/vault?drawer=1", headers=html)).headers["Location"]
        assert "not_authenticated" == (await get("/vault")).json()["reason"]
        await browser.client.post("/open")
        wanted = await get("/vault", headers=html)
        assert f"{API}/security?notice=enrolment" == wanted.headers["Location"]
        page = await browser.follow(wanted)
        assert ["Two-step sign-in is asked for here. Add an authenticator to go on."] == page.notices
        code = await _enrolled(browser, clock)
        assert 200 == (await get("/vault", headers=html)).status_code
        clock.move(hosts.FRESH)
        clock.move(PERIOD)
        assert (
            f"{API}/security/step-up?next=%2Fstatement" == (await get("/statement", headers=html)).headers["Location"]
        )
        assert "step_up_required" == (await get("/statement")).json()["reason"]
        assert "step_up_required" == (await browser.client.post("/payout", headers=html)).json()["reason"]
        page = await browser.open(f"{API}/security/step-up?next=%2Fstatement")
        proven = await browser.send(page, f"{API}/security/step-up", code=code())
        assert "/statement" == proven.headers["Location"]
        assert 200 == (await get("/statement", headers=html)).status_code


async def test_after_something_that_was_not_them_the_host_asks_for_a_new_password(visited: Visited) -> None:
    async with visited(password_page="/profile/password") as (_, browser):
        await browser.client.post("/open")
        page = await browser.open(f"{API}/security/not-me")
        sent = await browser.send(page, f"{API}/security/not-me")
        assert "/profile/password" == sent.headers["Location"]


async def test_the_hosts_brand_and_templates_are_on_the_pages(visited: Visited, tmp_path: Path) -> None:
    logo = tmp_path / "logo.svg"
    logo.write_bytes(PICTURE)
    templates = tmp_path / "templates"
    templates.mkdir()
    (templates / "inside.html").write_text(
        '{% extends "umbra/inside.html" %}{% block more_navigation %}<li><a href="/home">Home</a></li>{% endblock %}'
    )
    brand = Brand(name="Acme <Ltd>", accent="#7a1", logo=logo)
    async with visited(brand=brand, templates=templates) as (_, browser):
        await browser.client.post("/open")
        page = await browser.open(f"{API}/security")
        assert "Acme &lt;Ltd&gt;" in page.text
        assert '<a href="/home">Home</a>' in page.text
        addresses = {urlsplit(one).path.rpartition("/")[2]: one for one in _addresses(page)}
        style = await browser.client.get(addresses["umbra.css"])
        picture = await browser.client.get(addresses["logo"])
        assert "--accent:#7a1;" in style.text
        assert ("image/svg+xml", PICTURE) == (picture.headers["Content-Type"], picture.content)
        assert picture.headers["Content-Security-Policy"].endswith("sandbox"), "opened by itself it runs nothing"


async def test_pages_that_are_not_there_are_missed_by_name(visited: Visited, host: Host) -> None:
    async with visited() as (apart, _):
        apart.app.router.routes.clear()
        request = Request({"type": "http", "method": "POST", "headers": [], "app": apart.app})
        for umbra, said in ((apart.umbra, "include umbra.router"), (host.umbra, "give Umbra pages=True")):
            with pytest.raises(Misconfigured, match=said):
                await _signed_in(umbra, request)


async def _signed_in(umbra: Umbra[Any], request: Request) -> Response:
    return await umbra.sign_in(request, None, delivery="page")


def _addresses(page: Page) -> list[str]:
    """Return every address on a page that leads to this site."""
    found = re.findall(r'(?:href|src|action)="([^"]*)"', page.text)
    return [one for one in found if not one.startswith(("#", "data:", "otpauth:"))]
