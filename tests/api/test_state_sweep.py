"""Every call, made by somebody in every state, has a declared answer; a new call without a row fails here."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi.routing import APIRoute

from support.mail import PostOffice, free_port, mailing
from support.people import API, BASE_URL, Person
from umbra.api import account, email, links, signin, totp
from umbra.app import application
from umbra.auth import Auth
from umbra.core.clock import FixedClock

STATES = ("nobody", "mfa_token_bearer", "mfa_token_cookie", "password_only", "second_factor", "revoked")

Row = tuple[dict[str, str] | None, str, str]
"""A body of the right form with wrong proofs; then the answer to a session without a second factor, and to one with."""

PROOF = {"code": "000000"}
OPEN: dict[str, tuple[dict[str, str] | None, str]] = {
    "POST /register": ({"username": "alice", "password": "correct horse battery staple 9"}, "409 username_taken"),
    "POST /login": ({"username": "alice", "password": "wrong"}, "401 credentials_refused"),
    "POST /totp-verify": ({"mfa_token": "umc_x", **PROOF}, "401 challenge_refused"),
    "POST /password/reset-request": ({"username": "alice"}, "202"),
    "POST /password/reset": (
        {"token": "uml_x", "new_password": "another horse battery staple 7"}, "400 link_refused",
    ),
    "POST /undo": ({"token": "uml_x"}, "400 link_refused"),
}  # fmt: skip
"""Calls that need no session answer the same to everybody."""

GUARDED: dict[str, Row] = {
    "GET /session": (None, "200", "200"),
    "GET /sessions": (None, "200", "200"),
    "GET /totp/status": (None, "200", "200"),
    "POST /totp/setup": ({}, "200", "200"),
    "POST /totp/confirm": (PROOF, "400 code_refused", "400 code_refused"),  # of the set-up in the row above
    "POST /totp/disable": ({"password": "wrong", **PROOF}, "409 not_enabled", "401 credentials_refused"),
    "POST /totp/authenticators/{authenticator_id}/remove": (PROOF, "404 not_found", "404 not_found"),
    "PATCH /totp/authenticators/{authenticator_id}": ({"name": "x"}, "404 not_found", "404 not_found"),
    "POST /totp/backup-codes/regenerate": (
        {"password": "wrong", **PROOF}, "409 not_enabled", "401 credentials_refused",
    ),
    "POST /step-up": (PROOF, "409 not_enabled", "400 code_refused"),
    "POST /email/proof": (None, "404 not_found", "404 not_found"),
    "POST /email/proof/confirm": ({"code": "00000000"}, "400 code_refused", "400 code_refused"),
    "DELETE /sessions/{session_id}": (None, "404 not_found", "404 not_found"),
    "POST /sessions/revoke-others": (None, "200", "200"),
    "POST /password": (
        {"current_password": "wrong", "new_password": "another horse battery staple 7", **PROOF},
        "409 not_enabled", "401 credentials_refused",
    ),
    "POST /logout": (None, "204", "204"),
}  # fmt: skip
"""Calls that need one answer 401 to everybody else."""


def test_every_call_has_a_row() -> None:
    routes = [route for module in (signin, totp, account, email, links) for route in module.router.routes]
    known = [route for route in routes if isinstance(route, APIRoute)]
    calls = {f"{method} {route.path}" for route in known for method in route.methods or ()}
    assert len(known) == len(routes)
    assert calls == OPEN.keys() | GUARDED.keys()


@pytest.fixture
async def somebody(
    request: pytest.FixtureRequest, auth: Auth, clock: FixedClock
) -> AsyncIterator[tuple[str, httpx.AsyncClient]]:
    """A client in the state that the test names, beside an account that exists, where there is a mail server."""
    state: str = request.param
    transport = httpx.ASGITransport(app=application(mailing(auth, PostOffice(free_port()))))
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as client:
        alice = Person("alice", client, clock)
        await alice.register()
        if state == "nobody":
            yield state, client
            return
        await alice.sign_in()
        if state in {"mfa_token_bearer", "mfa_token_cookie", "second_factor"}:
            await alice.enrol()
        if state.startswith("mfa_token"):
            token = await alice.challenge()
            client.cookies.clear()
            header = "Authorization" if state == "mfa_token_bearer" else "Cookie"
            client.headers[header] = f"Bearer {token}" if state == "mfa_token_bearer" else f"umbra_session={token}"
        if state == "revoked":
            cookie = client.cookies["umbra_session"]
            await alice.post("/logout")
            client.headers["Cookie"] = f"umbra_session={cookie}"
        yield state, client


@pytest.mark.parametrize("somebody", STATES, indirect=True)
async def test_every_call_answers_everybody_as_declared(somebody: tuple[str, httpx.AsyncClient]) -> None:
    state, client = somebody
    declared = {call: (body, answer) for call, (body, answer) in OPEN.items()}
    for call, (body, without, with_one) in GUARDED.items():
        answers = {"password_only": without, "second_factor": with_one}
        declared[call] = (body, answers.get(state, "401 not_authenticated"))
    got = {call: await _answer(client, call, body) for call, (body, _) in declared.items()}
    assert {call: answer for call, (_, answer) in declared.items()} == got


async def _answer(client: httpx.AsyncClient, call: str, body: dict[str, str] | None) -> str:
    method, path = call.split(" ")
    url = API + path.format(authenticator_id="999", session_id="999")
    answer = await client.request(method, url, json=body)
    reason = answer.json()["reason"] if answer.status_code >= 400 else ""
    return f"{answer.status_code} {reason}".strip()
