"""Cookies, bearer tokens, origins, headers."""

from dataclasses import replace

import httpx
import pytest

from support.people import API, BASE_URL, Person
from umbra.app import application
from umbra.auth import Auth
from umbra.core.clock import FixedClock

FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:8001"},
    {"Origin": "https://127.0.0.1:8000"},
    {"Origin": "http://localhost:8000"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": BASE_URL, "Sec-Fetch-Site": "cross-site"},
]
OURS: list[dict[str, str]] = [{}, {"Origin": BASE_URL}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
async def test_another_sites_request_changes_nothing(enrolled: Person, headers: dict[str, str]) -> None:
    token = await enrolled.challenge()
    code = enrolled.fresh_code()
    for path, body in [
        ("/login", {"username": "alice", "password": enrolled.password}),
        ("/totp-verify", {"mfa_token": token, "code": code}),
        ("/logout", None),
        ("/step-up", {"code": code}),
        ("/totp/setup", None),
        ("/sessions/revoke-others", None),
        ("/login", {"not": "of the form"}),
    ]:
        answer = await enrolled.post(path, body, headers=headers)
        assert (403, "origin_refused") == (answer.status_code, answer.json()["reason"]), path
    assert 200 == (await enrolled.verify(token, code=code)).status_code


@pytest.mark.parametrize("headers", OURS, ids=str)
async def test_our_own_pages_may_ask(alice: Person, headers: dict[str, str]) -> None:
    assert 200 == (await alice.post("/sessions/revoke-others", headers=headers)).status_code
    assert 200 == (await alice.login()).status_code


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
async def test_what_sets_no_cookie_and_shows_none_may_come_from_anywhere(
    alice: Person, headers: dict[str, str]
) -> None:
    token = (await alice.login(delivery="token")).json()["token"]
    body = {"username": "alice", "password": alice.password, "delivery": "token"}
    assert 200 == (await alice.post("/login", body, headers=headers)).status_code
    bearer = headers | {"Authorization": f"Bearer {token}"}
    assert 204 == (await alice.post("/logout", headers=bearer)).status_code
    assert 200 == (await alice.get("/session", headers=headers)).status_code


async def test_a_token_is_delivered_in_one_place_only(alice: Person) -> None:
    by_token = await alice.login(delivery="token")
    assert by_token.json()["token"].startswith("ums_")
    assert "set-cookie" not in by_token.headers
    by_cookie = await alice.login()
    assert "token" not in by_cookie.json()
    value = by_cookie.cookies["umbra_session"]
    assert f"umbra_session={value}; HttpOnly; SameSite=Lax; Path=/" == by_cookie.headers["Set-Cookie"]


async def test_over_https_the_cookie_has_the_host_prefix(auth: Auth, clock: FixedClock) -> None:
    url = "https://id.example"
    secure = replace(auth, settings=auth.settings.model_copy(update={"public_url": url}))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=application(secure)), base_url=url) as client:
        alice = Person("alice", client, clock)
        await alice.register()
        answer = await alice.login()
        value = answer.cookies["__Host-umbra_session"]
        assert f"__Host-umbra_session={value}; HttpOnly; Secure; SameSite=Lax; Path=/" == answer.headers["Set-Cookie"]
        assert 200 == (await alice.get("/session")).status_code
        assert "max-age=63072000" == answer.headers["Strict-Transport-Security"]
        plain = await alice.get("/session", headers={"Cookie": f"umbra_session={value}"})
        assert 401 == plain.status_code
        gone = (await alice.post("/logout")).headers["Set-Cookie"]
        assert "__Host-umbra_session=; Max-Age=0; HttpOnly; Secure; SameSite=Lax; Path=/" == gone


async def test_a_bearer_token_beside_a_cookie_counts_alone(alice: Person) -> None:
    good = alice.client.cookies["umbra_session"]
    bad = good[:-1] + ("A" if good[-1] != "A" else "B")
    assert 401 == (await alice.get("/session", headers={"Authorization": f"Bearer {bad}"})).status_code
    alice.client.cookies.clear()
    both = {"Authorization": f"Bearer {good}", "Cookie": f"umbra_session={bad}"}
    assert 200 == (await alice.get("/session", headers=both)).status_code


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([("Cookie", "umbra_session=GOOD; umbra_session=GOOD")], 401),
        ([("Cookie", "umbra_session=GOOD"), ("Cookie", "umbra_session=GOOD")], 401),
        ([("Cookie", "other=1; umbra_session=GOOD")], 200),
        ([("Cookie", "=umbra_session=GOOD")], 401),
        ([("Cookie", "umbra_session")], 401),
        ([("Cookie", "UMBRA_SESSION=GOOD")], 401),
        ([("Cookie", "umbra_session=")], 401),
        ([("Authorization", "Bearer GOOD"), ("Authorization", "Bearer GOOD")], 401),
        ([("Authorization", "Bearer")], 401),
        ([("Authorization", "Bearer "), ("Cookie", "umbra_session=GOOD")], 401),
        ([("Authorization", "Basic YTpi"), ("Cookie", "umbra_session=GOOD")], 200),
        ([("Authorization", "Bearer \xff")], 401),
        ([], 401),
    ],
)
async def test_one_token_is_shown_in_one_way(alice: Person, headers: list[tuple[str, str]], status: int) -> None:
    good = alice.client.cookies["umbra_session"]
    alice.client.cookies.clear()
    sent = [(name.encode(), value.replace("GOOD", good).encode("latin-1")) for name, value in headers]
    answer = await alice.client.get(API + "/session", headers=sent)
    assert status == answer.status_code
    if status == 401:
        assert ("not_authenticated", "Bearer") == (answer.json()["reason"], answer.headers["WWW-Authenticate"])


async def test_an_mfa_token_opens_nothing_but_the_code_step(enrolled: Person) -> None:
    token = await enrolled.challenge()
    session = enrolled.client.cookies["umbra_session"]
    enrolled.client.cookies.clear()
    for headers in ({"Authorization": f"Bearer {token}"}, {"Cookie": f"umbra_session={token}"}):
        assert 401 == (await enrolled.get("/session", headers=headers)).status_code
        assert 401 == (await enrolled.get("/totp/status", headers=headers)).status_code
    assert "challenge_refused" == (await enrolled.verify(session, code=enrolled.code())).json()["reason"]


async def test_every_answer_is_kept_by_nobody_and_framed_by_nobody(alice: Person) -> None:
    answers = [
        await alice.get("/session"),
        await alice.get("/nowhere"),
        await alice.post("/login", {}),
        await alice.post("/logout"),
        await alice.client.request("PUT", API + "/login"),
        await alice.client.get("/healthz"),
        await alice.client.get("/readyz"),
    ]
    for answer in answers:
        assert "no-store" == answer.headers["Cache-Control"], answer.request.url
        assert "nosniff" == answer.headers["X-Content-Type-Options"]
        assert "same-origin" == answer.headers["Referrer-Policy"]
        for part in ("frame-ancestors", "object-src", "base-uri", "default-src"):
            assert f"{part} 'none'" in answer.headers["Content-Security-Policy"]


async def test_what_the_framework_refuses_has_the_same_form(alice: Person) -> None:
    missing = await alice.get("/nowhere")
    assert (404, "not_found", "urn:umbra:reason:not_found") == (
        missing.status_code, missing.json()["reason"], missing.json()["type"],
    )  # fmt: skip
    wrong = await alice.client.put(API + "/session")
    assert (405, "method_not_allowed", "GET") == (wrong.status_code, wrong.json()["reason"], wrong.headers["Allow"])


@pytest.mark.parametrize("path", ["/openapi.json", "/docs", "/redoc"])
async def test_documents_are_served_only_when_asked_for(auth: Auth, client: httpx.AsyncClient, path: str) -> None:
    assert 404 == (await client.get(path)).status_code


async def test_the_openapi_document_names_every_call(auth: Auth) -> None:
    documented = replace(auth, settings=auth.settings.model_copy(update={"api_docs": True}))
    transport = httpx.ASGITransport(app=application(documented))
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as client:
        paths = (await client.get("/openapi.json")).json()["paths"]
    assert {"/api/auth/login", "/api/auth/totp/confirm", "/api/auth/sessions/{session_id}"} <= set(paths)
    assert "requestBody" in paths["/api/auth/login"]["post"]


async def test_health_and_readiness_are_told(client: httpx.AsyncClient) -> None:
    assert {"status": "alive"} == (await client.get("/healthz")).json()
    assert {"status": "ready", "database": True, "schema": True, "keys": True} == (await client.get("/readyz")).json()
