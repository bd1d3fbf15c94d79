"""Acme, tested as its developer would: over HTTP, with the kit for the second factor."""

import re
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from types import ModuleType

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from acme.models import User
from examples import applications
from umbra import Umbra
from umbra.testing import Kit

PASSWORD = "seven brass otters sing"
TABLES = {
    "attempts", "audit_events", "backup_codes", "challenges", "known_browsers",
    "server_state", "totp_authenticators", "totp_usage", "user_sessions",
}  # fmt: skip
STATIC = applications.EXAMPLES / "acme" / "static"


@pytest.fixture
def umbra(acme: ModuleType) -> Umbra[User]:
    """What the fixture ``umbra_kit`` is for."""
    made: Umbra[User] = acme.umbra
    return made


@pytest.fixture
async def client(acme: ModuleType, umbra_kit: Kit[User]) -> AsyncIterator[httpx.AsyncClient]:
    """A browser in front of the running application."""
    async with acme.umbra.lifespan(acme.app):
        transport = httpx.ASGITransport(app=acme.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
            yield client
    await acme.engine.dispose()


@pytest.fixture
async def ann(acme: ModuleType, client: httpx.AsyncClient) -> User:
    """Somebody who has just registered; each test has another one."""
    email = f"ann-{uuid.uuid4().hex}@acme.example"
    assert 201 == (await client.post("/register", json={"email": email.upper(), "password": PASSWORD})).status_code
    async with AsyncSession(acme.engine) as session:
        return (await session.scalars(select(User).where(User.email == email))).one()


async def test_an_address_has_one_account(client: httpx.AsyncClient, ann: User) -> None:
    assert 409 == (await client.post("/register", json={"email": ann.email, "password": PASSWORD})).status_code


async def test_a_payout_wants_a_second_factor_and_a_fresh_one(
    client: httpx.AsyncClient, umbra_kit: Kit[User], ann: User
) -> None:
    assert ("not_authenticated", 401) == _refusal(await client.post("/payout"))
    await umbra_kit.signed_in(client, ann)
    assert {"email": ann.email} == (await client.get("/me")).json()
    assert ("not_enabled", 409) == _refusal(await client.post("/payout"))

    await umbra_kit.signed_in(client, ann, mfa=True)
    assert {"paid_to": ann.email} == (await client.post("/payout")).json()

    umbra_kit.clock.move(timedelta(minutes=5, seconds=1))
    assert ("step_up_required", 403) == _refusal(await client.post("/payout"))
    assert 200 == (await client.post("/auth/step-up", json={"code": await umbra_kit.code_for(ann)})).status_code
    assert 200 == (await client.post("/payout")).status_code


async def test_a_password_is_half_a_sign_in_once_there_is_an_app(
    client: httpx.AsyncClient, umbra_kit: Kit[User], ann: User
) -> None:
    (backup_code, *_) = await umbra_kit.enrol(ann)
    login = {"username": ann.email, "password": PASSWORD}
    for proof in ({"code": await umbra_kit.code_for(ann)}, {"backup_code": backup_code}):
        asked = (await client.post("/auth/login", json=login)).json()
        assert "mfa_required" == asked["status"]
        assert 401 == (await client.get("/me")).status_code
        signed_in = await client.post("/auth/totp-verify", json={"mfa_token": asked["mfa_token"], **proof})
        assert 200 == signed_in.status_code
        assert 204 == (await client.post("/auth/logout")).status_code


async def test_the_page_and_its_script_are_served(client: httpx.AsyncClient) -> None:
    page = (await client.get("/")).text
    for name in re.findall(r'(?:src|href)="(\w[\w.]*)"', page):
        assert (STATIC / name).read_text() == (await client.get(f"/{name}")).text


async def test_autogenerate_proposes_exactly_our_tables_once_and_then_nothing(
    empty_postgresql_url: str, tmp_path: Path
) -> None:
    home, given = applications.copy_of("acme", tmp_path), applications.environment(empty_postgresql_url)
    applications.alembic(home, given, "upgrade", "head")
    applications.alembic(home, given, "revision", "--autogenerate", "-m", "second factor")
    (revision,) = home.glob("migrations/versions/*second_factor.py")
    upgrade, _, _ = revision.read_text().partition("def downgrade")
    assert TABLES == set(re.findall(r"op\.create_table\(\s*'(\w+)'", upgrade))
    assert {"create_table", "create_index", "f"} == set(re.findall(r"op\.(\w+)\(", upgrade))

    applications.alembic(home, given, "upgrade", "head")
    assert "No new upgrade operations detected." in applications.alembic(home, given, "check")
    applications.alembic(home, given, "downgrade", "0001")
    applications.alembic(home, given, "upgrade", "head")


def _refusal(answer: httpx.Response) -> tuple[str, int]:
    assert "application/problem+json" == answer.headers["Content-Type"]
    return answer.json()["reason"], answer.status_code
