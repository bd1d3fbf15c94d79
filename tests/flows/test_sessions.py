from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import insert, select

from support.audit import reasons_of
from support.people import BASE_URL, Person
from umbra import upkeep
from umbra.app import application
from umbra.auth import Auth
from umbra.challenge.tables import CHALLENGES
from umbra.core.clock import FixedClock
from umbra.sessions.tables import SESSIONS
from umbra.signin import account, operating
from umbra.signin.operating import COMMAND_LINE


@pytest.fixture
async def other(auth: Auth, alice: Person, clock: FixedClock) -> AsyncIterator[Person]:
    """Alice in another browser."""
    transport = httpx.ASGITransport(app=application(auth))
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as client:
        person = Person("alice", client, clock)
        await person.sign_in()
        yield person


@pytest.mark.parametrize(("seconds", "status"), [(3599, 200), (3600, 401)])
async def test_a_session_lives_an_hour_without_use(alice: Person, clock: FixedClock, seconds: int, status: int) -> None:
    clock.move(timedelta(seconds=seconds))
    assert status == (await alice.get("/session")).status_code


@pytest.mark.parametrize(("seconds", "status"), [(-1, 200), (0, 401)])
async def test_a_session_lives_a_day_however_it_is_used(
    alice: Person, clock: FixedClock, seconds: int, status: int
) -> None:
    began = clock.now()
    for _ in range(47):
        clock.move(timedelta(minutes=30))
        assert 200 == (await alice.get("/session")).status_code
    clock.set(began + timedelta(days=1, seconds=seconds))
    assert status == (await alice.get("/session")).status_code


async def test_signing_out_ends_the_session_for_whoever_kept_the_token(alice: Person) -> None:
    token = alice.client.cookies["umbra_session"]
    answer = await alice.post("/logout")
    assert 204 == answer.status_code
    assert "umbra_session=; Max-Age=0; HttpOnly; SameSite=Lax; Path=/" == answer.headers["Set-Cookie"]
    assert 401 == (await alice.get("/session", headers={"Authorization": f"Bearer {token}"})).status_code
    assert 401 == (await alice.post("/logout")).status_code


async def test_sessions_are_listed_and_ended(alice: Person, other: Person) -> None:
    listed = (await alice.get("/sessions")).json()["sessions"]
    assert [False, True] == [one["current"] for one in sorted(listed, key=lambda one: -one["id"])]
    theirs = next(one["id"] for one in listed if not one["current"])
    assert 204 == (await alice.client.delete(f"/api/auth/sessions/{theirs}")).status_code
    assert 401 == (await other.get("/session")).status_code
    assert 404 == (await alice.client.delete(f"/api/auth/sessions/{theirs}")).status_code


async def test_all_other_sessions_are_ended_at_once(alice: Person, other: Person) -> None:
    assert {"revoked": 1} == (await alice.post("/sessions/revoke-others")).json()
    assert (200, 401) == ((await alice.get("/session")).status_code, (await other.get("/session")).status_code)
    assert {"revoked": 0} == (await alice.post("/sessions/revoke-others", {})).json()


@pytest.mark.parametrize("name", ["0", "999999", "-1", "abc", "1e3", "2147483648", "9" * 40, "%31%20", "\u0661"])
async def test_a_session_that_is_not_mine_is_not_found(alice: Person, name: str) -> None:
    answer = await alice.client.delete(f"/api/auth/sessions/{name}")
    assert (404, "not_found") == (answer.status_code, answer.json()["reason"])


async def test_another_users_session_is_not_found_and_lives_on(alice: Person, auth: Auth, clock: FixedClock) -> None:
    transport = httpx.ASGITransport(app=application(auth))
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as client:
        bob = Person("bob", client, clock)
        await bob.register()
        await bob.sign_in()
        mine = (await alice.get("/session")).json()["session"]["id"]
        assert 404 == (await client.delete(f"/api/auth/sessions/{mine}")).status_code
    assert 200 == (await alice.get("/session")).status_code


async def test_a_bearer_token_is_renewed_in_the_answer(alice: Person, auth: Auth) -> None:
    token = (await alice.login(delivery="token")).json()["token"]
    transport = httpx.ASGITransport(app=application(auth))
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as client:
        bearer = {"Authorization": f"Bearer {token}", "Origin": "https://elsewhere.example"}
        answer = await client.post("/api/auth/step-up", json={"password": alice.password}, headers=bearer)
        renewed = answer.json()["token"]
        assert "set-cookie" not in answer.headers
        assert 401 == (await client.get("/api/auth/session", headers=bearer)).status_code
        bearer["Authorization"] = f"bearer {renewed}"
        assert 200 == (await client.get("/api/auth/session", headers=bearer)).status_code


async def test_a_disabled_account_is_out_at_once_and_enabling_revives_nothing(enrolled: Person, auth: Auth) -> None:
    token = await enrolled.challenge()
    user = (await account.find(auth, "alice")).user
    await operating.disable(auth, COMMAND_LINE, user.id)
    assert 401 == (await enrolled.get("/session")).status_code
    assert "challenge_refused" == (await enrolled.verify(token, code=enrolled.fresh_code())).json()["reason"]
    refused = await enrolled.login()
    await operating.enable(auth, COMMAND_LINE, user.id)
    assert 401 == (await enrolled.get("/session")).status_code
    assert "challenge_refused" == (await enrolled.verify(token, code=enrolled.fresh_code())).json()["reason"]
    enrolled.password, right = "some other words here", enrolled.password
    assert refused.content == (await enrolled.login()).content
    enrolled.password = right
    assert 200 == (await enrolled.verify()).status_code
    assert "disabled" in await reasons_of(auth, "sign_in_password")


@pytest.mark.parametrize(("seconds", "status"), [(299, 200), (300, 401)])
async def test_a_challenge_lives_five_minutes(enrolled: Person, clock: FixedClock, seconds: int, status: int) -> None:
    token = await enrolled.challenge()
    clock.move(timedelta(seconds=seconds))
    assert status == (await enrolled.verify(token, code=enrolled.code())).status_code


async def test_a_challenge_is_good_once(enrolled: Person) -> None:
    token = await enrolled.challenge()
    assert 200 == (await enrolled.verify(token)).status_code
    assert "challenge_refused" == (await enrolled.verify(token)).json()["reason"]


async def test_the_hundred_and_first_challenge_ends_the_oldest(enrolled: Person, auth: Auth) -> None:
    first, second = await enrolled.challenge(), await enrolled.challenge()
    for _ in range(99):
        await enrolled.challenge()
    async with auth.db.read() as tx:
        assert 100 == len((await tx.execute(select(CHALLENGES.c.id))).all())
    assert "challenge_refused" == (await enrolled.verify(first)).json()["reason"]
    assert 200 == (await enrolled.verify(second)).status_code


async def test_clean_up_deletes_what_is_past_its_life_and_nothing_else(
    enrolled: Person, auth: Auth, clock: FixedClock
) -> None:
    await enrolled.challenge()
    await enrolled.verify()
    code = enrolled.code()
    kept = await upkeep.clean_up(auth)
    assert (0, 0, 0, 0) == (kept.used_codes, kept.challenges, kept.setups, kept.sessions)
    clock.move(timedelta(minutes=5))
    used = await upkeep.clean_up(auth)
    assert (2, 1) == (used.used_codes, used.challenges)
    clock.move(-timedelta(minutes=5))
    assert "code_refused" == (await enrolled.verify(code=code)).json()["reason"]
    clock.move(timedelta(days=1))
    assert 0 < (await upkeep.clean_up(auth)).sessions
    async with auth.db.read() as tx:
        assert [] == (await tx.execute(select(SESSIONS.c.id))).all()
    assert 200 == (await enrolled.verify()).status_code


async def test_clean_up_works_in_batches(auth: Auth, alice: Person, clock: FixedClock) -> None:
    rows = [
        {"user_id": 1, "token_hash": f"{n:064}", "created_at": clock.now(), "expires_at": clock.now(), "guesses": 0}
        for n in range(2 * upkeep.CLEANUP_BATCH_ROWS + 1)
    ]
    async with auth.db.begin() as tx:
        await tx.execute(insert(CHALLENGES).values(rows))
    assert len(rows) == (await upkeep.clean_up(auth)).challenges
