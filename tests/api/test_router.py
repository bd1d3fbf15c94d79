"""The router inside a plain FastAPI application, which runs it; the server looks its calls up instead."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import Depends, FastAPI, HTTPException

from support.people import BASE_URL, Person
from umbra.api.router import router
from umbra.auth import Auth
from umbra.core.clock import FixedClock

BODIES = [
    ("/login", '{"username": "alice"}'),
    ("/login", '{"username": "alice", "password": 7, "more": 1}'),
    ("/login", '{"username": "alice", "username": "bob", "password": "x"}'),
    ("/login", "[]"),
    ("/login", ""),
    ("/login", "null"),
    ("/totp-verify", '{"mfa_token": "umc_no", "code": "123456", "delivery": "pigeon"}'),
    ("/totp-verify", '{"mfa_token": "umc_no", "code": "123456"}'),
    ("/totp/setup", '{"name": "Phone"}'),
    ("/logout", '{"all": true}'),
]


@pytest.fixture
async def hosted(auth: Auth) -> AsyncIterator[httpx.AsyncClient]:
    host = FastAPI()
    host.state.umbra = auth
    host.include_router(router, prefix="/api/auth")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=host), base_url=BASE_URL) as client:
        yield client


async def test_a_person_enrols_and_signs_in_through_a_hosts_application(
    hosted: httpx.AsyncClient, clock: FixedClock
) -> None:
    person = Person("alice", hosted, clock)
    await person.register()
    await person.sign_in()
    await person.enrol()
    assert 200 == (await person.verify()).status_code
    assert 200 == (await hosted.get("/api/auth/session")).status_code


@pytest.mark.parametrize(("call", "body"), BODIES)
async def test_both_ways_to_a_call_give_the_same_answer(
    hosted: httpx.AsyncClient, client: httpx.AsyncClient, call: str, body: str
) -> None:
    headers = {"Content-Type": "application/json"}
    theirs, ours = [await one.post(f"/api/auth{call}", content=body, headers=headers) for one in (hosted, client)]
    assert (theirs.status_code, theirs.json()) == (ours.status_code, ours.json())


async def test_what_a_host_puts_in_front_of_the_router_is_run(auth: Auth) -> None:
    async def closed() -> None:
        raise HTTPException(503)

    host = FastAPI()
    host.state.umbra = auth
    host.include_router(router, prefix="/auth", dependencies=[Depends(closed)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=host), base_url=BASE_URL) as client:
        assert 503 == (await client.get("/auth/session")).status_code
