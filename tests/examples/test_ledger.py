"""Ledger, tested as its developer would: its own tokens, and the kit for the second factor."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from types import ModuleType

import httpx
import jwt
import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session
from starlette.types import Message

from examples import applications
from ledger.models import Account
from umbra import Umbra
from umbra.testing import Kit

PASSWORD = "seven brass otters sing"
NOTHING = "No new upgrade operations detected."


@pytest.fixture
def umbra(ledger: ModuleType) -> Umbra[Account]:
    """What the fixture ``umbra_kit`` is for."""
    made: Umbra[Account] = ledger.umbra
    return made


@pytest.fixture
async def client(ledger: ModuleType, umbra_kit: Kit[Account]) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the running application."""
    async with ledger.umbra.lifespan(ledger.app):
        transport = httpx.ASGITransport(app=ledger.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
            yield client


@pytest.fixture
async def ann(ledger: ModuleType, client: httpx.AsyncClient) -> Account:
    """Somebody who has just registered; each test has another one."""
    email = f"ann-{uuid.uuid4().hex}@ledger.example"
    assert 201 == (await client.post("/register", json={"email": email, "password": PASSWORD})).status_code
    with Session(ledger.engine) as session:
        return session.scalars(select(Account).where(Account.email == email)).one()


async def log_in(client: httpx.AsyncClient, account: Account, password: str = PASSWORD) -> httpx.Response:
    return await client.post("/login", json={"email": account.email, "password": password})


def bearing(answer: httpx.Response) -> dict[str, str]:
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


async def test_a_password_alone_brings_a_token_while_there_is_no_second_factor(
    client: httpx.AsyncClient, ann: Account
) -> None:
    assert 401 == (await log_in(client, ann, "wrong")).status_code
    token = bearing(await log_in(client, ann))
    assert {"email": ann.email} == (await client.get("/me", headers=token)).json()
    assert "not_enabled" == (await client.post("/transfer", headers=token)).json()["reason"]
    assert 0 == len(client.cookies)


async def test_with_a_second_factor_the_token_comes_after_the_code(
    client: httpx.AsyncClient, umbra_kit: Kit[Account], ann: Account
) -> None:
    await umbra_kit.enrol(ann)
    asked = (await log_in(client, ann)).json()
    assert "mfa_required" == asked["status"]
    assert "access_token" not in asked
    code = await umbra_kit.code_for(ann)
    token = bearing(await client.post("/auth/totp-verify", json={"mfa_token": asked["mfa_token"], "code": code}))
    assert {"moved_for": ann.email} == (await client.post("/transfer", headers=token)).json()

    umbra_kit.clock.move(timedelta(minutes=5, seconds=1))
    refused = await client.post("/transfer", headers=token)
    assert ("step_up_required", ["totp", "backup_code"]) == (refused.json()["reason"], refused.json()["methods"])
    code = await umbra_kit.code_for(ann)
    assert 200 == (await client.post("/auth/step-up", json={"code": code}, headers=token)).status_code
    assert 200 == (await client.post("/transfer", headers=token)).status_code


async def test_a_token_that_is_not_ledgers_stands_for_nobody(
    ledger: ModuleType, client: httpx.AsyncClient, ann: Account
) -> None:
    good = jwt.decode((await log_in(client, ann)).json()["access_token"], ledger.JWT_KEY, ["HS256"])
    forged = jwt.encode(good, "x" * 32, "HS256")
    nameless = jwt.encode({"sub": good["sub"], "exp": good["exp"]}, ledger.JWT_KEY, "HS256")
    for token in (forged, nameless, good["sid"], ""):
        answer = await client.get("/me", headers={"Authorization": f"Bearer {token}"})
        assert ("not_authenticated", 401) == (answer.json()["reason"], answer.status_code)


async def test_signing_out_and_closing_end_what_a_token_stands_for(client: httpx.AsyncClient, ann: Account) -> None:
    first, second = bearing(await log_in(client, ann)), bearing(await log_in(client, ann))
    assert 204 == (await client.post("/auth/logout", headers=first)).status_code
    assert 204 == (await client.post("/close", headers=second)).status_code
    assert [401, 401] == [(await client.get("/me", headers=token)).status_code for token in (first, second)]
    assert "credentials_refused" == (await log_in(client, ann)).json()["reason"]


async def test_a_new_password_ends_what_was_begun_with_the_old_one(client: httpx.AsyncClient, ann: Account) -> None:
    token = bearing(await log_in(client, ann))
    change = {"old": PASSWORD, "new": "eight copper herons dive"}
    assert 204 == (await client.post("/password", json=change, headers=token)).status_code
    assert 401 == (await client.get("/me", headers=token)).status_code
    assert 200 == (await log_in(client, ann, change["new"])).status_code


async def test_a_password_is_looked_at_in_ledgers_way_where_umbra_asks_for_one(
    ledger: ModuleType, client: httpx.AsyncClient, umbra_kit: Kit[Account], ann: Account
) -> None:
    token = await bearer(ledger, umbra_kit, ann)
    body = {"password": "wrong", "code": await umbra_kit.code_for(ann)}
    assert "credentials_refused" == (await client.post("/auth/totp/disable", json=body, headers=token)).json()["reason"]
    body["password"] = PASSWORD
    assert 204 == (await client.post("/auth/totp/disable", json=body, headers=token)).status_code


async def test_staff_sign_in_to_enrol_and_to_nothing_else(
    ledger: ModuleType, client: httpx.AsyncClient, ann: Account
) -> None:
    with Session(ledger.engine) as session:
        session.execute(update(Account).where(Account.id == ann.id).values(is_staff=True))
        session.commit()
    answer = await log_in(client, ann)
    assert answer.json()["enrolment_required"]
    assert "not_enabled" == (await client.get("/me", headers=bearing(answer))).json()["reason"]
    assert 200 == (await client.get("/auth/totp/status", headers=bearing(answer))).status_code


async def test_what_is_behind_the_gate_need_not_ask(
    ledger: ModuleType, client: httpx.AsyncClient, umbra_kit: Kit[Account], ann: Account
) -> None:
    weak = bearing(await log_in(client, ann))
    assert "not_enabled" == (await client.get("/admin/accounts", headers=weak)).json()["reason"]
    strong = await bearer(ledger, umbra_kit, ann)
    assert {"asked_by": ann.email} == (await client.get("/admin/accounts", headers=strong)).json()


async def test_whoever_has_another_second_factor_is_written_to_and_only_then(
    ledger: ModuleType, client: httpx.AsyncClient, umbra_kit: Kit[Account], ann: Account
) -> None:
    token = bearing(await log_in(client, ann))
    await client.post("/auth/totp/setup", headers=token)
    assert 400 == (await client.post("/auth/totp/confirm", json={"code": "000000"}, headers=token)).status_code
    assert [] == [to for to, _ in ledger.outbox if to == ann.id]
    await umbra_kit.enrol(ann)
    await asyncio.sleep(0)  # it is told beside the request
    assert [ann.id] == [to for to, _ in ledger.outbox if to == ann.id]


async def test_a_socket_is_opened_with_a_token_and_not_without(
    ledger: ModuleType, client: httpx.AsyncClient, ann: Account
) -> None:
    accepted, balance, _ = await opened(ledger, bearing(await log_in(client, ann)))
    assert "websocket.accept" == accepted["type"]
    assert {"email": ann.email, "balance": 0} == json.loads(balance["text"])
    assert [{"type": "websocket.close", "code": 1008, "reason": "not_authenticated"}] == await opened(ledger, {})


async def opened(ledger: ModuleType, headers: dict[str, str]) -> list[Message]:
    """Open the socket as a server would, and return what the application says."""
    said: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        said.append(message)

    lines = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "websocket", "path": "/balance", "query_string": b"", "headers": lines, "subprotocols": []}
    await ledger.app(scope, receive, send)
    return said


def test_autogenerate_proposes_nothing_before_umbras_tables_are_made_and_after(tmp_path: Path) -> None:
    home = applications.copy_of("ledger", tmp_path)
    given = applications.environment(f"sqlite:///{tmp_path}/ledger.db")
    applications.alembic(home, given, "upgrade", "head")
    assert NOTHING in applications.alembic(home, given, "check")
    applications.umbra(home, given, "db", "upgrade")
    assert NOTHING in applications.alembic(home, given, "check")
    assert "is current" in applications.umbra(home, given, "db", "check")

    env = home / "migrations" / "env.py"
    env.write_text(env.read_text().replace("include_name=umbra.include_name,", ""))
    assert "remove_table" in applications.alembic(home, given, "check", code=255)


async def bearer(ledger: ModuleType, kit: Kit[Account], account: Account) -> dict[str, str]:
    """Sign somebody in with a second factor, and return Ledger's token for it."""
    session_id = await kit.session_id(account, mfa=True)
    claims = {"sid": session_id, "exp": kit.clock.now() + timedelta(hours=1)}
    return {"Authorization": f"Bearer {jwt.encode(claims, ledger.JWT_KEY, 'HS256')}"}
