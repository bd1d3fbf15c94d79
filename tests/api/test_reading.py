"""What looking changes, and what it shows: nothing, and no secret that was shown before."""

from datetime import timedelta

import httpx
import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute
from sqlalchemy import select

from support.people import API, Person
from umbra.api import account as account_calls
from umbra.api import signin as signin_calls
from umbra.api import totp as totp_calls
from umbra.auth import Auth
from umbra.core.clock import FixedClock
from umbra.db import migrate
from umbra.pages import account, activity, security, signin, stepup

FOREIGN = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}


def _looks(router: APIRouter) -> list[str]:
    routes = [route for route in router.routes if isinstance(route, APIRoute)]
    return [route.path for route in routes if "GET" in (route.methods or ())]


CALLS = [API + path for part in (signin_calls, totp_calls, account_calls) for path in _looks(part.router)]
PAGES = [path for part in (signin, security, account, activity, stepup) for path in _looks(part.router)]
LOOKS = sorted({*CALLS, *(path for path in PAGES if "{" not in path)})


def test_the_list_of_what_can_be_looked_at_is_not_empty() -> None:
    assert {API + "/session", "/security/setup", "/sign-in/code"} <= set(LOOKS)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
async def test_looking_changes_nothing(enrolled: Person, auth: Auth, method: str) -> None:
    await enrolled.post("/totp/setup", {"name": "Tablet"})
    before = await _everything(auth)
    for path in LOOKS * 2:
        await enrolled.client.request(method, path)
    assert before == await _everything(auth)


async def test_a_confirmed_secret_is_shown_nowhere_again(enrolled: Person) -> None:
    raw = enrolled.secret
    for path in LOOKS:
        text = (await enrolled.client.get(path)).text
        assert "otpauth" not in text, path
        assert raw not in text.replace(" ", ""), path
        assert not any(code in text for code in enrolled.backup_codes), path


async def test_no_answer_invites_another_site_to_read_it(alice: Person) -> None:
    for path in [*LOOKS, API + "/login"]:
        for method in ("OPTIONS", "GET"):
            answer = await alice.client.request(method, path, headers=FOREIGN)
            assert [] == [name for name in answer.headers if name.startswith("access-control-")], path


async def test_no_time_that_a_request_names_counts(enrolled: Person, clock: FixedClock) -> None:
    later = clock.now() + timedelta(minutes=5)
    headers = {"Date": f"{later:%a, %d %b %Y %H:%M:%S} GMT", "X-Date": later.isoformat()}
    sent = {"mfa_token": await enrolled.challenge(), "code": enrolled.code(10)}
    refused = await enrolled.post("/totp-verify", sent, headers=headers)
    assert (400, "code_refused") == (refused.status_code, refused.json()["reason"])
    named: httpx.Response = await enrolled.post("/totp-verify", sent | {"timestamp": later.timestamp()})
    assert "invalid_request" == named.json()["reason"]


async def _everything(auth: Auth) -> dict[str, list[tuple[object, ...]]]:
    async with auth.db.read() as tx:
        return {
            table.name: sorted(map(tuple, await tx.execute(select(table))), key=repr)
            for table in migrate.metadata().sorted_tables
        }
