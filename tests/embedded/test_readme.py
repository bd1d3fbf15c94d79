"""The application that the README prints, as it is printed."""

import re
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import argon2
import httpx
import pytest
from sqlalchemy import insert

from pages.browsing import sound
from umbra.crypto.keyring import new_key
from umbra.testing import Kit

README = Path(__file__).parents[2] / "README.md"
ACME = "https://acme.example"
PASSWORD = "a password of the host's"


def printed() -> str:
    """Return the README's ``app.py``."""
    return re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)[0]  # type: ignore[no-any-return]


def test_the_printed_application_is_typed_as_strictly_as_its_developer_likes(
    tmp_path: Path, mypy: tuple[str, ...]
) -> None:
    given = 'DATABASE_URL = ""\nENCRYPTION_KEYS: list[str] = []\n'
    (tmp_path / "app.py").write_text(given + printed())
    done = subprocess.run(
        [*mypy, "app.py"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert 0 == done.returncode, done.stdout


@pytest.fixture
def more(request: pytest.FixtureRequest) -> str:
    """What else a developer gives, beyond what is printed."""
    return getattr(request, "param", "")


@pytest.fixture
async def acme(empty_postgresql_url: str, more: str) -> AsyncIterator[dict[str, Any]]:
    """The names that the README's ``app.py`` defines, with its tables made and an account in them."""
    names: dict[str, Any] = {
        "__name__": "app",
        "DATABASE_URL": empty_postgresql_url.replace("postgresql://", "postgresql+asyncpg://"),
        "ENCRYPTION_KEYS": [new_key().reveal()],
    }
    source = printed().replace("    public_url=", f"    {more}\n    public_url=")
    exec(compile(source, "app.py", "exec"), names)  # noqa: S102 - it is our own README
    async with names["engine"].begin() as connection:
        await connection.run_sync(names["Base"].metadata.create_all)
        hashed = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
        await connection.execute(insert(names["User"]).values(id=7, email="ann@acme.example", password_hash=hashed))
    async with names["umbra"].lifespan(names["app"]):
        yield names
    await names["engine"].dispose()


@pytest.fixture
async def browser(acme: dict[str, Any]) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=acme["app"])
    async with httpx.AsyncClient(transport=transport, base_url=ACME) as client:
        yield client


async def test_the_printed_application_signs_people_in_with_both_steps(
    acme: dict[str, Any], browser: httpx.AsyncClient
) -> None:
    kit = Kit(acme["umbra"])
    ann = acme["User"](id=7, email="ann@acme.example")
    login = {"username": "Ann@acme.example", "password": PASSWORD}
    assert "signed_in" == (await browser.post("/auth/login", json=login)).json()["status"]
    assert "ann@acme.example" == (await browser.get("/me")).json()
    assert "not_enabled" == (await browser.post("/payout")).json()["reason"]

    await kit.enrol(ann)
    asked = (await browser.post("/auth/login", json=login)).json()
    assert "mfa_required" == asked["status"]
    proof = {"mfa_token": asked["mfa_token"], "code": await kit.code_for(ann)}
    assert 200 == (await browser.post("/auth/totp-verify", json=proof)).status_code
    assert "paid to ann@acme.example" == (await browser.post("/payout")).json()


async def test_the_kit_signs_in_and_lets_an_account_have_a_second_factor(
    acme: dict[str, Any], browser: httpx.AsyncClient
) -> None:
    kit = Kit(acme["umbra"])
    ann = acme["User"](id=7, email="ann@acme.example")
    with pytest.raises(LookupError, match="no authenticator"):
        await kit.code_for(ann)
    await kit.signed_in(browser, ann)
    assert "not_enabled" == (await browser.post("/payout")).json()["reason"]
    await kit.signed_in(browser, ann, mfa=True)
    assert 200 == (await browser.post("/payout")).status_code
    with pytest.raises(LookupError, match="an authenticator"):
        await kit.enrol(ann)
    code = await kit.code_for(ann)
    answers = [await browser.post("/auth/step-up", json={"code": code}) for _ in range(2)]
    assert [200, 400] == [answer.status_code for answer in answers]  # replay protection stays on


async def test_a_password_that_the_host_has_changed_ends_what_was_begun_with_it(
    acme: dict[str, Any], browser: httpx.AsyncClient
) -> None:
    login = {"username": "ann@acme.example", "password": PASSWORD}
    assert 200 == (await browser.post("/auth/login", json=login)).status_code
    async with acme["engine"].begin() as connection:
        await connection.execute(acme["User"].__table__.update().values(password_hash="$argon2id$changed"))
    assert "credentials_refused" == (await browser.post("/auth/login", json=login)).json()["reason"]


@pytest.mark.parametrize("more", ["pages=True,"], indirect=True)
async def test_with_pages_people_sign_in_on_them_and_have_all_that_wants_a_password(
    acme: dict[str, Any], browser: httpx.AsyncClient
) -> None:
    browser.headers["Origin"] = ACME
    login = {"username": "ann@acme.example", "password": PASSWORD, "next": "/auth/security"}
    wanted = await browser.get("/me", headers={"Accept": "text/html"})
    assert "/auth/sign-in?next=%2Fme" == wanted.headers["Location"]
    page = sound(await browser.get("/auth/sign-in"))
    assert {"/auth/sign-in"} == {form.action for form in page.forms}
    kit = Kit(acme["umbra"])
    ann = acme["User"](id=7, email="ann@acme.example")
    await kit.enrol(ann)
    assert "/auth/sign-in/code?" in (await browser.post("/auth/sign-in", data=login)).headers["Location"]
    assert "__Host-umbra_challenge" in browser.cookies
    code = {"code": await kit.code_for(ann), "next": "/auth/security"}
    assert "/auth/security" == (await browser.post("/auth/sign-in/code", data=code)).headers["Location"]
    page = sound(await browser.get("/auth/security"))
    assert {"/auth/security/disable", "/auth/security/backup-codes"} <= {form.action for form in page.forms}
    for path in ("/auth/", "/auth/register", "/auth/first-run"):
        assert 404 == (await browser.get(path)).status_code
