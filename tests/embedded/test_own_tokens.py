"""An application that gives people tokens of its own, and takes Umbra's verdict for them."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pyotp
import pytest
from sqlalchemy import select
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response

from embedded import hosts
from embedded.conftest import ONE_OF_EACH
from embedded.hosts import Host
from support.people import API, PERIOD
from umbra import Umbra, Verdict
from umbra.browsers.tables import BROWSERS
from umbra.core.clock import FixedClock
from umbra.core.errors import Misconfigured
from umbra.crypto.argon import HashingPool
from umbra.crypto.keyring import new_key
from umbra.testing import CHEAP

pytestmark = pytest.mark.parametrize("shape", ONE_OF_EACH, indirect=True)

ANN = {"X-Single-Sign-On": "ann"}
PASSWORD = "the host's own"


async def issue(_request: Request, member: Any, verdict: Verdict) -> Response:
    """Answer with a token as a host would sign it; here it is only written out."""
    token = {"sub": member.handle, "sid": verdict.session_id, "amr": verdict.amr}
    return JSONResponse({"access_token": json.dumps(token), "left": verdict.backup_codes_remaining})


async def session_of(connection: HTTPConnection) -> str | None:
    """Return the session that a token names, once it is known to be genuine."""
    _, _, token = connection.headers.get("authorization", "").partition("Host ")
    return str(json.loads(token)["sid"]) if token else None


async def is_right(member: Any, password: str) -> bool:
    """Look at a password, in whatever way a host does."""
    return member.handle == "ann" and password == PASSWORD


@pytest.fixture
async def host(shape: tuple[str, str, str], clock: FixedClock) -> AsyncIterator[Host]:
    url, key, prefix = shape
    hashing = HashingPool(CHEAP, threads=2)
    made = hosts.application(
        hosts.engine_of(url), key, clock, hashing,
        prefix=prefix, on_signed_in=issue, identify=session_of, check_password=is_right,
    )  # fmt: skip
    yield made
    hashing.close()
    await made.umbra.dispose()


async def enter(browser: httpx.AsyncClient) -> dict[str, Any]:
    answer = await browser.post("/enter", headers=ANN)
    said: dict[str, Any] = answer.json()
    return said


def bearing(said: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Host {said['access_token']}"}


class Enrolled:
    """Ann, who has an authenticator, and a token of the host's from when she had none."""

    def __init__(self, browser: httpx.AsyncClient, clock: FixedClock) -> None:
        self.browser, self.clock = browser, clock
        self.secret = ""
        self.backup_codes: list[str] = []
        self.headers: dict[str, str] = {}

    async def enrol(self) -> None:
        self.headers = bearing(await enter(self.browser))
        setup = await self.browser.post(f"{API}/totp/setup", headers=self.headers)
        self.secret = setup.json()["secret"]
        confirmed = await self.post("/totp/confirm", code=self.code())
        assert 200 == confirmed.status_code, confirmed.text
        assert "token" not in confirmed.json()
        self.backup_codes = confirmed.json()["backup_codes"]

    def code(self) -> str:
        self.clock.move(PERIOD)
        return pyotp.TOTP(self.secret).at(self.clock.now())

    async def post(self, path: str, **body: str) -> httpx.Response:
        return await self.browser.post(API + path, json=body, headers=self.headers)


@pytest.fixture
async def ann(browser: httpx.AsyncClient, clock: FixedClock) -> Enrolled:
    made = Enrolled(browser, clock)
    await made.enrol()
    return made


async def test_who_signs_in_gets_the_hosts_token_and_no_cookie_of_ours(browser: httpx.AsyncClient) -> None:
    said = await enter(browser)
    assert ["pwd"] == json.loads(said["access_token"])["amr"]
    assert 0 == len(browser.cookies)
    assert 401 == (await browser.get("/me")).status_code
    assert 200 == (await browser.get("/me", headers=bearing(said))).status_code


async def test_what_the_token_names_opens_nothing_as_a_token_of_ours(browser: httpx.AsyncClient) -> None:
    session_id = json.loads((await enter(browser))["access_token"])["sid"]
    shown = [{"Authorization": f"Bearer {session_id}"}, {"Cookie": f"umbra_session={session_id}"}]
    assert [401, 401] == [(await browser.get("/me", headers=headers)).status_code for headers in shown]


async def test_the_code_step_ends_in_the_hosts_token_too(ann: Enrolled) -> None:
    for proof, left in (({"code": ann.code()}, None), ({"backup_code": ann.backup_codes[0]}, 9)):
        asked = await enter(ann.browser)
        assert "mfa_required" == asked["status"]
        verified = await ann.browser.post(f"{API}/totp-verify", json={"mfa_token": asked["mfa_token"], **proof})
        assert (["pwd", "otp"], left) == (json.loads(verified.json()["access_token"])["amr"], verified.json()["left"])
        assert 200 == (await ann.browser.get("/vault", headers=bearing(verified.json()))).status_code
    assert 0 == len(ann.browser.cookies)


async def test_a_fresh_proof_counts_for_the_token_that_it_came_with(ann: Enrolled) -> None:
    ann.clock.move(hosts.FRESH + PERIOD)
    assert "step_up_required" == (await ann.browser.post("/payout", headers=ann.headers)).json()["reason"]
    assert 200 == (await ann.post("/step-up", code=ann.code())).status_code
    assert 200 == (await ann.browser.post("/payout", headers=ann.headers)).status_code


async def test_signing_out_ends_what_the_token_names(ann: Enrolled) -> None:
    assert 204 == (await ann.post("/logout")).status_code
    assert 401 == (await ann.browser.get("/me", headers=ann.headers)).status_code


async def test_a_password_is_looked_at_in_the_hosts_way_and_before_the_code(ann: Enrolled) -> None:
    code = ann.code()
    assert "credentials_refused" == (await ann.post("/totp/disable", password="wrong", code=code)).json()["reason"]
    renewed = await ann.post("/totp/backup-codes/regenerate", password=PASSWORD, code=code)
    assert 10 == len(renewed.json()["backup_codes"])
    assert 204 == (await ann.post("/totp/disable", password=PASSWORD, code=ann.code())).status_code


async def test_a_guess_at_a_password_is_charged_before_the_host_looks_at_it(ann: Enrolled) -> None:
    code = ann.code()
    for _ in range(5):
        await ann.post("/totp/disable", password="wrong", code=code)
    refused = await ann.post("/totp/disable", password=PASSWORD, code=code)
    assert "attempts_spent" == refused.json()["reason"]


async def test_another_site_gets_nowhere_with_what_a_browser_sends_by_itself(ann: Enrolled) -> None:
    foreign = {"Origin": "https://elsewhere.example"}
    assert "origin_refused" == (await ann.browser.post("/payout", headers=foreign)).json()["reason"]
    assert 200 == (await ann.browser.post("/payout", headers=foreign | ann.headers)).status_code


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"on_signed_in": issue}, "belong together"),
        ({"identify": session_of}, "belong together"),
        ({"password_field": "handle", "check_password": is_right}, "who looks at passwords"),
    ],
)
async def test_what_belongs_together_is_asked_for_together(host: Host, given: dict[str, Any], said: str) -> None:
    with pytest.raises(Misconfigured, match=said):
        Umbra(
            engine=host.engine, user_model=host.model, login_field="handle", issuer="Acme",
            encryption_keys=[new_key().reveal()], **given,
        )  # fmt: skip


async def test_no_browser_is_remembered_where_no_cookie_of_ours_is_set(ann: Enrolled, host: Host) -> None:
    asked = await enter(ann.browser)
    answer = await ann.browser.post(f"{API}/totp-verify", json={"mfa_token": asked["mfa_token"], "code": ann.code()})
    assert "access_token" in answer.json()
    async with host.umbra.auth.db.read() as tx:
        assert [] == (await tx.execute(select(BROWSERS.c.id))).all()
