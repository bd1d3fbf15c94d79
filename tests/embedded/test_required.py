"""Accounts that must have a second factor, and what else is asked of whoever comes in."""

import logging
from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
import pyotp
import pytest
from fastapi import APIRouter, Depends, FastAPI, Request
from sqlalchemy import insert

from embedded import hosts
from embedded.conftest import ONE_OF_EACH
from embedded.hosts import Host, visited
from support.people import API, PERIOD
from umbra.core.clock import FixedClock
from umbra.crypto.argon import HashingPool
from umbra.testing import CHEAP

pytestmark = pytest.mark.parametrize("shape", ONE_OF_EACH, indirect=True)

ADMIN = {"X-Single-Sign-On": "admin"}
ANN = {"X-Single-Sign-On": "ann"}


@pytest.fixture
async def host(shape: tuple[str, str, str], clock: FixedClock) -> AsyncIterator[Host]:
    url, key, prefix = shape
    hashing = HashingPool(CHEAP, threads=2)
    made = hosts.application(
        hosts.engine_of(url), key, clock, hashing,
        prefix=prefix, require_mfa=lambda member: member.handle == "admin", other_logins=["/legacy/login"],
    )  # fmt: skip
    made.app.mount("/admin", made.umbra.gate(_inside(), mfa=True))
    yield made
    hashing.close()
    await made.umbra.dispose()


def _inside() -> FastAPI:
    """Return an application that asks nobody anything."""
    app = FastAPI()

    @app.get("/who")
    async def who(request: Request) -> str:
        handle: str = request.state.user.handle
        return handle

    return app


async def enter(browser: httpx.AsyncClient, headers: dict[str, str]) -> dict[str, Any]:
    said: dict[str, Any] = (await browser.post("/enter", headers=headers)).json()
    return said


async def enrol(browser: httpx.AsyncClient, clock: FixedClock) -> None:
    secret = (await browser.post(f"{API}/totp/setup", json={})).json()["secret"]
    clock.move(PERIOD)
    code = pyotp.TOTP(secret).at(clock.now())
    assert 200 == (await browser.post(f"{API}/totp/confirm", json={"code": code})).status_code


async def test_who_must_have_a_second_factor_signs_in_to_enrol_and_to_nothing_else(
    browser: httpx.AsyncClient, host: Host, clock: FixedClock
) -> None:
    await host.add(2, "admin")
    assert (await enter(browser, ADMIN))["enrolment_required"]
    assert ("not_enabled", 409) == _refusal(await browser.get("/me"))
    assert 200 == (await browser.get(f"{API}/totp/status")).status_code
    await enrol(browser, clock)
    assert 200 == (await browser.get("/me")).status_code


async def test_who_need_not_have_one_is_not_asked(browser: httpx.AsyncClient) -> None:
    assert "enrolment_required" not in await enter(browser, ANN)
    assert 200 == (await browser.get("/me")).status_code


async def test_a_gate_lets_through_whom_a_route_would(browser: httpx.AsyncClient, clock: FixedClock) -> None:
    assert ("not_authenticated", 401) == _refusal(await browser.get("/admin/who"))
    await enter(browser, ANN)
    assert ("not_enabled", 409) == _refusal(await browser.get("/admin/who"))
    await enrol(browser, clock)
    assert "ann" == (await browser.get("/admin/who")).json()


async def test_other_ways_to_a_session_are_pointed_out_when_the_application_starts(
    host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    router = APIRouter()

    async def anything() -> None: ...

    async def ends_in_it(request: Request) -> Any:
        return await host.umbra.sign_in(request, object())

    router.add_api_route("/jwt/token", anything, methods=["POST"])
    router.add_api_route("/sso/callback", anything, methods=["GET"])
    router.add_api_route("/login", ends_in_it, methods=["POST"])
    router.add_api_route("/legacy/login", anything, methods=["POST"])
    router.add_api_route("/sign-in", anything, methods=["GET"])
    router.add_api_route("/authors", anything, methods=["POST"])
    host.app.include_router(router, prefix="")
    with caplog.at_level(logging.WARNING, "umbra"):
        async with visited(host):
            pass
    told = [record.getMessage().partition(" looks")[0] for record in caplog.records]
    assert ["POST /jwt/token", "GET /sso/callback"] == told


async def test_an_optional_user_is_nobody_until_somebody_has_signed_in(host: Host) -> None:
    @host.app.get("/greeting")
    async def greeting(member: Annotated[Any, Depends(host.umbra.optional_user())]) -> str:
        return member.handle if member else "stranger"

    async with visited(host) as browser:
        await host.run(lambda connection: connection.execute(insert(host.model).values(
            id=host.key_of(1), handle="ann", is_blocked=False)))  # fmt: skip
        assert "stranger" == (await browser.get("/greeting")).json()
        await enter(browser, ANN)
        assert "ann" == (await browser.get("/greeting")).json()


def _refusal(answer: httpx.Response) -> tuple[str, int]:
    return answer.json()["reason"], answer.status_code
