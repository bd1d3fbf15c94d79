"""What holds for every page and every form."""

from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute

from pages.browsing import SENT_BY_BROWSERS, Browser, Page, sound
from support.people import BASE_URL, Person
from umbra.app import application
from umbra.auth import Auth
from umbra.core.errors import InvalidRequest
from umbra.db.opening import open_database
from umbra.pages import account, activity, forms, operating, security, signin, stepup
from umbra.pages.forms import Form

COOKIE = "umbra_session"
UNREADABLE = "This form cannot be read. Open the page anew, and try again."
A_FORM = {**SENT_BY_BROWSERS, "Content-Type": "application/x-www-form-urlencoded"}


def _targets(router: APIRouter) -> list[str]:
    routes = [route for route in router.routes if isinstance(route, APIRoute)]
    return [route.path for route in routes if "POST" in (route.methods or ())]


INSIDE = (security, account, activity, stepup, operating)
WITHIN_A_SESSION = ["/sign-out", *(target for part in INSIDE for target in _targets(part.router))]
FORMS = sorted({*_targets(signin.router), *WITHIN_A_SESSION})


def test_the_lists_of_forms_are_not_empty() -> None:
    assert 21 == len(FORMS)
    assert 17 == len(WITHIN_A_SESSION)


# Origins, sessions, and the mark of a form


@pytest.mark.parametrize(
    "said",
    [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}],
    ids=["another", "null", "cross-site"],
)
async def test_no_form_is_taken_from_another_site(alice: Person, browser: Browser, said: dict[str, str]) -> None:
    mark = (await browser.open("/security")).form("/sign-out").values
    for target in FORMS:
        refused = sound(await browser.client.post(target, data=mark, headers=said), 403)
        assert ["That did not work"] == refused.headings
        assert BASE_URL in refused.errors[0]
    assert 200 == (await alice.get("/session")).status_code


@pytest.mark.parametrize("mark", [{}, {"csrf": ""}, {"csrf": "0" * 64}, {"csrf": "é"}], ids=["no", "blank", "0", "é"])
async def test_no_form_within_a_session_is_taken_without_its_mark(
    alice: Person, browser: Browser, mark: dict[str, str]
) -> None:
    for target in WITHIN_A_SESSION:
        sound(await browser.client.post(target, data=mark, headers=SENT_BY_BROWSERS), 403)
    assert 200 == (await alice.get("/session")).status_code


async def test_the_mark_of_a_form_dies_with_the_sessions_token(alice: Person, browser: Browser) -> None:
    page = await browser.open("/security")
    await alice.post("/step-up", {"password": alice.password})
    sound(await browser.send(page, "/sign-out"), 403)


async def test_the_mark_of_a_form_is_not_the_token(alice: Person, browser: Browser) -> None:
    assert alice.client.cookies[COOKIE] not in (await browser.open("/security")).text


async def test_every_form_within_a_session_leads_to_the_sign_in_page_without_one(client: httpx.AsyncClient) -> None:
    for target in WITHIN_A_SESSION:
        answer = await client.post(target, data={"csrf": "x"}, headers=SENT_BY_BROWSERS)
        assert (303, "/sign-in", "no-store") == (
            answer.status_code, answer.headers["Location"], answer.headers["Cache-Control"],
        )  # fmt: skip


async def test_pages_know_a_session_by_exactly_one_cookie(alice: Person, client: httpx.AsyncClient) -> None:
    token = client.cookies[COOKIE]
    client.cookies.clear()
    for headers in (
        {"Authorization": f"Bearer {token}"},
        {"Cookie": f"{COOKIE}={token}; {COOKIE}={token}"},
        {"Cookie": f"{COOKIE}=; {COOKIE}={token}"},
        {"Cookie": f"__Host-{COOKIE}={token}"},
        {"Cookie": f"{COOKIE}=nonsense"},
    ):
        assert 303 == (await client.get("/security", headers=headers)).status_code
    assert 200 == (await client.get("/security", headers={"Cookie": f"{COOKIE}={token}"})).status_code


# Bodies


async def test_every_form_is_a_form_and_no_larger_than_any_body(client: httpx.AsyncClient) -> None:
    large = b"username=" + b"a" * 65_536
    for target in FORMS:
        sound(await client.post(target, json={"username": "alice"}, headers=SENT_BY_BROWSERS), 415)
        sound(await client.post(target, content=large, headers=A_FORM), 413)


@pytest.mark.parametrize(
    "body",
    [
        b"username=alice&username=bob",
        b"username=alice%00",
        b"user\0name=alice",
        b"username=%FF",
        b"username=\xff",
        b"username=%ED%A0%80",
        b"username",
        b"&".join(b"f%d=" % number for number in range(17)),
    ],
)
def test_what_is_not_text_by_field_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        forms.parse(body)


async def test_a_field_that_a_form_does_not_have_is_refused(alice: Person, browser: Browser) -> None:
    mark = (await browser.open("/security")).form("/sign-out").values
    operators = _targets(operating.router)  # where there is nothing for her
    for target in sorted({*FORMS} - {"/first-run", *operators}):  # which nobody has the address of here
        sent = {**(mark if target in WITHIN_A_SESSION else {}), "is_operator": "yes"}
        refused = sound(await browser.client.post(target, data=sent, headers=SENT_BY_BROWSERS), 422)
        assert [UNREADABLE] == refused.errors


async def test_a_body_that_cannot_be_read_gets_a_page_too(alice: Person, client: httpx.AsyncClient) -> None:
    for target in ("/sign-in", "/security/rename"):
        refused = sound(await client.post(target, content=b"a=%FF", headers=A_FORM), 422)
        assert [UNREADABLE] == refused.errors


def test_spaces_plus_signs_and_letters_of_all_scripts_arrive_as_typed() -> None:
    form = forms.parse("a=x+y%2B&b=%C3%A9é&c=".encode())
    assert ("x y+", "éé", None) == (form.optional("a"), form.optional("b"), form.optional("c"))


def test_a_form_does_not_print_what_was_typed() -> None:
    assert "hunter2" not in repr(Form({"password": "hunter2"}))


# Faults, and what pages look like


async def test_a_database_that_cannot_be_reached_gets_a_page(alice: Person, auth: Auth) -> None:
    gone = open_database("postgresql://umbra@127.0.0.1:1/none")
    transport = httpx.ASGITransport(app=application(replace(auth, db=gone)))
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL, cookies=alice.client.cookies) as client:
        page = sound(await client.get("/security"), 503)
        assert ["We cannot reach our database. Nothing was changed or counted; try again in a moment."] == page.errors
        form = {"username": "alice", "password": alice.password}
        page = sound(await client.post("/sign-in", data=form, headers=SENT_BY_BROWSERS), 503)
        assert ["Sign in"] == page.headings
    await gone.close()


async def test_a_page_asks_for_nothing_but_its_stylesheet_and_its_script(browser: Browser) -> None:
    page = await browser.open("/sign-in")
    addresses = [part for part in page.text.split('"') if part.startswith("/static/")]
    files = [await browser.client.get(address) for address in addresses]
    assert ["text/css; charset=utf-8", "text/javascript; charset=utf-8"] == [
        file.headers["Content-Type"] for file in files
    ]
    for file in files:
        assert 200 == file.status_code
        assert "immutable" in file.headers["Cache-Control"]
        assert not any(word in file.text for word in ("url(", "@import", "http:", "https:", "fetch(", "XMLHttpRequest"))
    assert "default-src 'none'" in page.answer.headers["Content-Security-Policy"]
    assert "same-origin" == page.answer.headers["Referrer-Policy"], "with no-referrer browsers send Origin: null"
    assert 404 == (await browser.client.get("/static/umbra.py")).status_code


async def test_a_notice_is_one_of_ours_or_none(browser: Browser) -> None:
    page: Page = await browser.open("/sign-in?notice=<b>call+0900</b>")
    assert [] == page.notices
    assert "0900" not in page.text


async def test_a_forms_target_opened_by_its_address_leads_to_the_security_page(client: httpx.AsyncClient) -> None:
    for target in ("/security/rename", "/security/sessions/end"):
        assert "/security" == (await client.get(target)).headers["Location"]


def test_no_template_turns_escaping_off() -> None:
    folder = Path(forms.__file__).parent / "templates"
    templates = list(folder.glob("*.html"))
    assert templates
    assert [] == [one.name for one in templates if "safe" in one.read_text() or "autoescape" in one.read_text()]


async def test_pages_are_not_in_the_apis_document(auth: Auth) -> None:
    shown = auth.settings.model_copy(update={"api_docs": True})
    transport = httpx.ASGITransport(app=application(replace(auth, settings=shown)))
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as client:
        paths = (await client.get("/openapi.json")).json()["paths"]
    assert paths
    assert all(path.startswith("/api/") for path in paths)
