"""The use cases through HTTP, on both databases, with a clock that stands still."""

import base64
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import insert, select, text, update

from support.audit import reasons_of
from support.people import BASE_URL, PERIOD, Person
from umbra.app import application
from umbra.attempts.tables import ATTEMPTS
from umbra.auth import Auth
from umbra.backup_codes.tables import BACKUP_CODES
from umbra.core.clock import FixedClock
from umbra.sessions.tables import SESSIONS
from umbra.totp.algorithm import step_at
from umbra.totp.tables import AUTHENTICATORS, USED_CODES


@pytest.fixture
async def elsewhere(auth: Auth, clock: FixedClock, enrolled: Person) -> AsyncIterator[Person]:
    """Alice again, in another browser, signed in with a code."""
    transport = httpx.ASGITransport(app=application(auth))
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as other:
        person = Person("alice", other, clock, secret=enrolled.secret, backup_codes=enrolled.backup_codes)
        await person.sign_in()
        yield person


# Set-up and confirmation


async def test_set_up_is_idempotent_and_switches_nothing_on(alice: Person) -> None:
    first = (await alice.post("/totp/setup")).json()
    again = (await alice.post("/totp/setup", {})).json()
    assert (first["secret"], first["uri"], first["qr_code"]) == (again["secret"], again["uri"], again["qr_code"])
    assert {"enabled": False, "authenticators": [], "backup_codes": None, "setup_pending": True} == (
        await alice.get("/totp/status")
    ).json()
    assert "signed_in" == (await alice.login()).json()["status"]


async def test_another_secret_comes_when_asked_for(alice: Person) -> None:
    first = (await alice.post("/totp/setup")).json()["secret"]
    other = (await alice.post("/totp/setup", {"new_secret": True})).json()["secret"]
    assert first != other
    assert other == (await alice.post("/totp/setup")).json()["secret"]


async def test_a_secret_has_160_bits_and_no_two_are_alike(alice: Person) -> None:
    made = {(await alice.post("/totp/setup", {"new_secret": True})).json()["secret"] for _ in range(50)}
    assert 50 == len(made)
    assert {20} == {len(base64.b32decode(secret)) for secret in made}


async def test_another_session_gets_another_secret(alice: Person) -> None:
    mine = (await alice.post("/totp/setup")).json()["secret"]
    await alice.sign_in()
    assert mine != (await alice.post("/totp/setup")).json()["secret"]


@pytest.mark.parametrize(("seconds", "is_the_same"), [(599, True), (600, False)])
async def test_a_set_up_lives_ten_minutes(alice: Person, clock: FixedClock, seconds: int, *, is_the_same: bool) -> None:
    first = (await alice.post("/totp/setup")).json()
    assert 600 == first["expires_in"]
    clock.move(timedelta(seconds=seconds))
    confirmed = await alice.post("/totp/confirm", {"code": alice.code(secret=first["secret"])})
    assert (200 if is_the_same else 409) == confirmed.status_code
    assert is_the_same or "no_setup_pending" == confirmed.json()["reason"]


async def test_confirming_turns_it_on_and_gives_ten_codes_once(alice: Person) -> None:
    secret = (await alice.post("/totp/setup", {"name": " Phone "})).json()["secret"]
    confirmed = (await alice.post("/totp/confirm", {"code": alice.code(secret=secret)})).json()
    assert confirmed["enabled"] is True
    assert "Phone" == confirmed["authenticator"]["name"]
    assert 10 == len(set(confirmed["backup_codes"]))
    status = (await alice.get("/totp/status")).json()
    assert (10, 10) == (status["backup_codes"]["total"], status["backup_codes"]["remaining"])
    assert "no_setup_pending" == (await alice.post("/totp/confirm", {"code": "000000"})).json()["reason"]


async def test_the_code_that_confirmed_is_spent(alice: Person) -> None:
    await alice.enrol()
    answer = await alice.verify(code=alice.code())
    assert "code_refused" == answer.json()["reason"]


async def test_confirming_renews_this_session_and_ends_the_others(auth: Auth, alice: Person, clock: FixedClock) -> None:
    transport = httpx.ASGITransport(app=application(auth))
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as other_client:
        other = Person("alice", other_client, clock)
        await other.sign_in()
        before = alice.client.cookies["umbra_session"]
        await alice.enrol()
        assert before != alice.client.cookies["umbra_session"]
        assert 200 == (await alice.get("/session")).status_code
        assert 401 == (await other.get("/session")).status_code
        alice.client.cookies.set("umbra_session", before)
        assert 401 == (await alice.get("/session", headers={"Cookie": f"umbra_session={before}"})).status_code


async def test_later_authenticators_bring_no_codes_and_default_names_count_up(enrolled: Person) -> None:
    await enrolled.post("/totp/setup")
    second = await enrolled.post("/totp/setup")
    confirmed = await enrolled.post("/totp/confirm", {"code": enrolled.fresh_code(second.json()["secret"])})
    assert confirmed.json()["backup_codes"] is None
    assert "Authenticator 2" == confirmed.json()["authenticator"]["name"]
    names = [one["name"] for one in (await enrolled.get("/totp/status")).json()["authenticators"]]
    assert ["Authenticator", "Authenticator 2"] == names


async def test_a_name_is_taken_whatever_its_case(enrolled: Person) -> None:
    assert "name_taken" == (await enrolled.post("/totp/setup", {"name": "AUTHENTICATOR"})).json()["reason"]
    await enrolled.enrol("Tablet")
    first, second = (await enrolled.get("/totp/status")).json()["authenticators"]
    path = f"/api/auth/totp/authenticators/{second['id']}"
    assert "name_taken" == (await enrolled.client.patch(path, json={"name": "authenticator"})).json()["reason"]
    renamed = await enrolled.client.patch(path, json={"name": "TABLET"})
    assert (200, "TABLET", second["id"]) == (renamed.status_code, renamed.json()["name"], renamed.json()["id"])
    assert "Authenticator" == first["name"]


@pytest.mark.parametrize(("seconds", "status"), [(600, 200), (601, 403)])
async def test_set_up_wants_a_proof_of_the_last_ten_minutes(
    alice: Person, clock: FixedClock, seconds: int, status: int
) -> None:
    clock.move(timedelta(seconds=seconds))
    answer = await alice.post("/totp/setup")
    assert status == answer.status_code
    if status == 403:
        assert ("step_up_required", ["password"], 600) == (
            answer.json()["reason"], answer.json()["methods"], answer.json()["max_age"],
        )  # fmt: skip
        assert 200 == (await alice.post("/step-up", {"password": alice.password})).status_code
        assert 200 == (await alice.post("/totp/setup")).status_code


async def test_a_second_authenticator_wants_a_second_factor_as_proof(enrolled: Person, clock: FixedClock) -> None:
    assert 200 == (await enrolled.post("/totp/setup")).status_code  # confirm has just renewed it
    clock.move(timedelta(minutes=11))
    refused = await enrolled.post("/totp/setup")
    assert ["totp", "backup_code"] == refused.json()["methods"]
    assert "step_up_required" == (await enrolled.post("/step-up", {"password": enrolled.password})).json()["reason"]
    assert 200 == (await enrolled.post("/step-up", {"code": enrolled.fresh_code()})).status_code
    assert 200 == (await enrolled.post("/totp/setup")).status_code


# Replay


@pytest.mark.parametrize(("offset", "accepted"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
async def test_one_step_on_each_side_signs_in(
    enrolled: Person, clock: FixedClock, offset: int, *, accepted: bool
) -> None:
    clock.move(10 * PERIOD)
    answer = await enrolled.verify(code=enrolled.code(offset))
    assert (200 if accepted else 400) == answer.status_code


async def test_after_a_step_nothing_of_it_or_before_is_accepted(
    auth: Auth, enrolled: Person, clock: FixedClock
) -> None:
    clock.move(10 * PERIOD)
    now, earlier = enrolled.code(), enrolled.code(-1)
    assert 200 == (await enrolled.verify(code=now)).status_code
    assert "code_refused" == (await enrolled.verify(code=now)).json()["reason"]
    assert "code_refused" == (await enrolled.verify(code=earlier)).json()["reason"]
    assert 200 == (await enrolled.verify(code=enrolled.code(1))).status_code
    assert ["replayed", "superseded", None] == (await reasons_of(auth, "sign_in_code"))[-3:]


async def test_the_ledger_holds_the_step_that_matched(auth: Auth, enrolled: Person, clock: FixedClock) -> None:
    clock.move(10 * PERIOD)
    code = enrolled.code(-1)
    await enrolled.verify(code=code)
    async with auth.db.read() as tx:
        rows = (await tx.execute(select(USED_CODES.c.code, USED_CODES.c.window, USED_CODES.c.purpose))).all()
    assert (code, step_at(clock.now()) - 1, "sign_in") == tuple(rows[-1])


async def test_digits_that_were_accepted_are_dead_for_the_step_after_next_too(
    auth: Auth, enrolled: Person, clock: FixedClock
) -> None:
    """The guard behind the order of steps: digits may belong to two steps of one window, one time in a million."""
    clock.move(10 * PERIOD)
    code, now = enrolled.code(1), step_at(clock.now())
    async with auth.db.begin() as tx:
        await tx.execute(insert(USED_CODES).values(user_id=1, code=code, window=now - 1, used_at=clock.now()))
    assert "code_refused" == (await enrolled.verify(code=code)).json()["reason"]
    assert "replayed" == (await reasons_of(auth, "sign_in_code"))[-1]
    clock.move(2 * PERIOD)
    assert 200 == (await enrolled.verify(code=code)).status_code


DOORS = ["sign_in", "step_up", "disable", "regenerate", "password", "remove"]


@pytest.mark.parametrize("door", DOORS)
async def test_a_code_spent_elsewhere_is_refused_at_every_door(enrolled: Person, door: str) -> None:
    if door == "remove":
        await enrolled.enrol("Tablet")
    code = enrolled.fresh_code()
    assert 200 == (await enrolled.post("/step-up", {"code": code})).status_code
    assert "code_refused" == (await through(door, enrolled, code)).json()["reason"]


@pytest.mark.parametrize("door", DOORS)
async def test_a_code_is_spent_by_every_door(enrolled: Person, door: str) -> None:
    if door == "remove":
        await enrolled.enrol("Tablet")
    code = enrolled.fresh_code()
    answer = await through(door, enrolled, code)
    assert answer.status_code in {200, 204}, answer.text
    if door == "disable":
        return  # nothing is left that could accept it
    again = await enrolled.post("/step-up", {"code": code})
    assert "code_refused" == again.json()["reason"]


async def through(door: str, person: Person, code: str) -> httpx.Response:
    """Offer ``code`` at one of the doors."""
    match door:
        case "sign_in":
            return await person.verify(code=code)
        case "step_up":
            return await person.post("/step-up", {"code": code})
        case "disable":
            return await person.post("/totp/disable", {"password": person.password, "code": code})
        case "regenerate":
            return await person.post("/totp/backup-codes/regenerate", {"password": person.password, "code": code})
        case "password":
            new = "another horse battery staple 7"
            return await person.post(
                "/password", {"current_password": person.password, "new_password": new, "code": code}
            )
        case _:
            second = (await person.get("/totp/status")).json()["authenticators"][1]["id"]
            return await person.post(f"/totp/authenticators/{second}/remove", {"code": code})


# Backup codes


async def test_a_backup_code_signs_in_once_however_it_is_written(auth: Auth, enrolled: Person) -> None:
    first, second = enrolled.backup_codes[:2]
    signed_in = await enrolled.verify(backup_code=first)
    assert (200, 9, ["pwd", "otp"]) == (
        signed_in.status_code, signed_in.json()["backup_codes_remaining"], signed_in.json()["session"]["amr"],
    )  # fmt: skip
    assert "code_refused" == (await enrolled.verify(backup_code=first.lower())).json()["reason"]
    assert 8 == (await enrolled.verify(backup_code=second.lower().replace("-", " "))).json()["backup_codes_remaining"]
    assert [None, "replayed", None] == (await reasons_of(auth, "sign_in_code"))[-3:]


async def test_a_typing_error_in_a_backup_code_is_told_and_charged_to_nobody(auth: Auth, enrolled: Person) -> None:
    code = enrolled.backup_codes[0]
    mistyped = code[:-1] + ("0" if code[-1] != "0" else "1")
    token = await enrolled.challenge()
    for _ in range(7):
        assert "invalid_request" == (await enrolled.verify(token, backup_code=mistyped)).json()["reason"]
    assert 200 == (await enrolled.verify(token, backup_code=code)).status_code
    async with auth.db.read() as tx:
        rows = await tx.execute(select(BACKUP_CODES.c.used_at).where(BACKUP_CODES.c.used_at.is_not(None)))
    assert 1 == len(rows.all())


async def test_a_new_set_kills_the_old_one(enrolled: Person) -> None:
    old = enrolled.backup_codes[0]
    body = {"password": enrolled.password, "code": enrolled.fresh_code()}
    answer = await enrolled.post("/totp/backup-codes/regenerate", body)
    assert 10 == len(set(answer.json()["backup_codes"]) - set(enrolled.backup_codes))
    assert "code_refused" == (await enrolled.verify(backup_code=old)).json()["reason"]
    assert 200 == (await enrolled.verify(backup_code=answer.json()["backup_codes"][9])).status_code


# Disabling, removing, changing the password


async def test_disabling_takes_everything_and_ends_the_other_sessions(enrolled: Person, elsewhere: Person) -> None:
    token = await enrolled.challenge()
    answer = await enrolled.post("/totp/disable", {"password": enrolled.password, "code": enrolled.fresh_code()})
    assert 204 == answer.status_code
    assert {"enabled": False, "authenticators": [], "backup_codes": None, "setup_pending": False} == (
        await enrolled.get("/totp/status")
    ).json()
    assert 401 == (await elsewhere.get("/session")).status_code
    assert "challenge_refused" == (await enrolled.verify(token, code=enrolled.fresh_code())).json()["reason"]
    assert "signed_in" == (await enrolled.login()).json()["status"]
    again = await enrolled.post("/totp/disable", {"password": enrolled.password, "code": enrolled.fresh_code()})
    assert "not_enabled" == again.json()["reason"]


@pytest.mark.parametrize("path", ["/totp/disable", "/totp/backup-codes/regenerate"])
async def test_a_wrong_password_spends_no_code(enrolled: Person, path: str) -> None:
    code = enrolled.fresh_code()
    assert "credentials_refused" == (await enrolled.post(path, {"password": "wrong", "code": code})).json()["reason"]
    assert (await enrolled.post(path, {"password": enrolled.password, "code": code})).status_code in {200, 204}


async def test_the_last_authenticator_is_not_removed(enrolled: Person) -> None:
    only = (await enrolled.get("/totp/status")).json()["authenticators"][0]["id"]
    code = enrolled.fresh_code()
    path = f"/totp/authenticators/{only}/remove"
    assert "last_authenticator" == (await enrolled.post(path, {"code": code})).json()["reason"]
    assert 200 == (await enrolled.post("/step-up", {"code": code})).status_code  # it was not spent


async def test_a_removed_authenticator_opens_nothing(enrolled: Person) -> None:
    tablet = await enrolled.enrol("Tablet")
    second = (await enrolled.get("/totp/status")).json()["authenticators"][1]["id"]
    path = f"/totp/authenticators/{second}/remove"
    assert 204 == (await enrolled.post(path, {"backup_code": enrolled.backup_codes[0]})).status_code
    assert "not_found" == (await enrolled.post(path, {"code": enrolled.fresh_code()})).json()["reason"]
    assert "code_refused" == (await enrolled.verify(code=enrolled.fresh_code(tablet))).json()["reason"]


async def test_a_password_change_wants_a_code_and_ends_what_is_open(enrolled: Person, elsewhere: Person) -> None:
    token = await enrolled.challenge()
    new = "another horse battery staple 7"
    body = {"current_password": enrolled.password, "new_password": new}
    missing = await enrolled.post("/password", body)
    assert (422, [{"field": "code", "problem": "is required"}]) == (missing.status_code, missing.json()["errors"])
    assert 204 == (await enrolled.post("/password", body | {"code": enrolled.fresh_code()})).status_code
    assert 200 == (await enrolled.get("/session")).status_code
    assert 401 == (await elsewhere.get("/session")).status_code
    assert "challenge_refused" == (await enrolled.verify(token, code=enrolled.fresh_code())).json()["reason"]
    assert "credentials_refused" == (await enrolled.login()).json()["reason"]
    enrolled.password = new
    assert "mfa_required" == (await enrolled.login()).json()["status"]


async def test_a_bad_new_password_is_refused_before_anything_is_charged(enrolled: Person) -> None:
    code = enrolled.fresh_code()
    body = {"current_password": enrolled.password, "new_password": "passwordpassword", "code": code}
    assert "password_refused" == (await enrolled.post("/password", body)).json()["reason"]
    assert 200 == (await enrolled.post("/step-up", {"code": code})).status_code


# What was done, and that it was written down


@pytest.mark.parametrize("proof", ["code", "backup_code"])
async def test_nobody_gets_in_whose_sign_in_cannot_be_written_down(auth: Auth, enrolled: Person, proof: str) -> None:
    token = await enrolled.challenge()
    shown = {"code": enrolled.fresh_code(), "backup_code": enrolled.backup_codes[0]}[proof]
    async with auth.db.read() as tx:
        before = (await tx.execute(select(SESSIONS.c.id, SESSIONS.c.token_hash))).all()
    async with auth.db.begin() as tx:
        await tx.execute(text("ALTER TABLE audit_events RENAME TO elsewhere"))
    for answer in (
        await enrolled.login(),
        await enrolled.verify(token, **{proof: shown}),
        await enrolled.post("/step-up", {proof: shown}),
    ):
        assert (500, "internal") == (answer.status_code, answer.json()["reason"])
    async with auth.db.begin() as tx:
        await tx.execute(text("ALTER TABLE elsewhere RENAME TO audit_events"))
    async with auth.db.read() as tx:
        assert before == (await tx.execute(select(SESSIONS.c.id, SESSIONS.c.token_hash))).all()
        assert not (await tx.execute(select(ATTEMPTS.c.failures).where(ATTEMPTS.c.failures > 0))).all()
    assert 200 == (await enrolled.verify(token, **{proof: shown})).status_code


# Secrets that do not belong


async def test_a_secret_moved_to_another_row_is_refused_and_recorded(
    auth: Auth, enrolled: Person, client: httpx.AsyncClient, clock: FixedClock
) -> None:
    mallory = Person("mallory", client, clock)
    await mallory.register()
    await mallory.sign_in()
    await mallory.enrol()
    async with auth.db.begin() as tx:
        theirs = (await tx.execute(select(AUTHENTICATORS.c.secret).where(AUTHENTICATORS.c.user_id == 2))).scalar_one()
        await tx.execute(update(AUTHENTICATORS).where(AUTHENTICATORS.c.user_id == 1).values(secret=theirs))
    answer = await enrolled.verify(code=mallory.fresh_code())
    assert "code_refused" == answer.json()["reason"]
    assert ["moved_secret"] == await reasons_of(auth, "secret_refused")
    assert "moved_secret" == (await reasons_of(auth, "sign_in_code"))[-1]


async def test_nobody_gets_in_without_a_code_because_a_secret_cannot_be_read(auth: Auth, enrolled: Person) -> None:
    async with auth.db.begin() as tx:
        await tx.execute(update(AUTHENTICATORS).values(secret="gAAAAA-broken"))
    token = await enrolled.challenge()
    for _ in range(7):
        answer = await enrolled.verify(token, code=enrolled.fresh_code())
        assert (500, "internal") == (answer.status_code, answer.json()["reason"])
    assert 200 == (await enrolled.verify(token, backup_code=enrolled.backup_codes[0])).status_code
    async with auth.db.read() as tx:
        charged = await tx.execute(select(ATTEMPTS.c.failures).where(ATTEMPTS.c.budget == "totp:1"))
    assert 0 == charged.scalar_one()
