"""Umbra in an application as its developer put it there."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pyotp
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect

from embedded.hosts import FRESH, Host
from support.people import API, PERIOD
from umbra import Umbra, upkeep
from umbra.attempts import store as attempts
from umbra.core.clock import FixedClock
from umbra.core.errors import Misconfigured
from umbra.crypto.keyring import new_key
from umbra.settings import checked

ANN = {"X-Single-Sign-On": "ann"}


class Ann:
    """Somebody whom the application knows, with an authenticator app."""

    def __init__(self, browser: httpx.AsyncClient, clock: FixedClock) -> None:
        self.browser = browser
        self.clock = clock
        self.secret = ""

    def code(self) -> str:
        """Return a code that has not been used yet."""
        self.clock.move(PERIOD)
        return pyotp.TOTP(self.secret).at(self.clock.now())

    async def enter(self) -> dict[str, Any]:
        """Sign in as far as the application's own login goes."""
        answer = await self.browser.post("/enter", headers=ANN)
        assert 200 == answer.status_code, answer.text
        said: dict[str, Any] = answer.json()
        return said

    async def enrol(self) -> list[str]:
        """Sign in, set an authenticator up, and return the backup codes."""
        assert "signed_in" == (await self.enter())["status"]
        setup = await self.browser.post(f"{API}/totp/setup", json={})
        self.secret = setup.json()["secret"]
        confirmed = await self.browser.post(f"{API}/totp/confirm", json={"code": self.code()})
        assert 200 == confirmed.status_code, confirmed.text
        codes: list[str] = confirmed.json()["backup_codes"]
        return codes

    async def verify(self, mfa_token: str, **proof: str) -> httpx.Response:
        body = {"mfa_token": mfa_token, **(proof or {"code": self.code()})}
        return await self.browser.post(f"{API}/totp-verify", json=body)


@pytest.fixture
def ann(browser: httpx.AsyncClient, clock: FixedClock) -> Ann:
    return Ann(browser, clock)


async def test_the_hosts_own_login_gets_a_session_and_the_hosts_own_object(ann: Ann, host: Host) -> None:
    assert 401 == (await ann.browser.get("/me")).status_code
    assert "signed_in" == (await ann.enter())["status"]
    answer = await ann.browser.get("/me")
    assert {"handle": "ann", "id": str(host.key_of(1))} == answer.json()


async def test_with_a_second_factor_the_hosts_login_is_half_of_it(ann: Ann) -> None:
    codes = await ann.enrol()
    ann.browser.cookies.clear()
    for proof in ({}, {"backup_code": codes[0]}):
        asked = await ann.enter()
        assert "mfa_required" == asked["status"]
        assert 401 == (await ann.browser.get("/me")).status_code
        assert 200 == (await ann.verify(asked["mfa_token"], **proof)).status_code
        assert 200 == (await ann.browser.get("/me")).status_code
        ann.browser.cookies.clear()


async def test_a_code_or_a_backup_code_is_good_once(ann: Ann) -> None:
    codes = await ann.enrol()
    tokens = [(await ann.enter())["mfa_token"] for _ in range(4)]
    code = ann.code()
    answers = [await ann.verify(tokens[0], code=code), await ann.verify(tokens[1], code=code)]
    answers += [await ann.verify(tokens[2], backup_code=codes[0]), await ann.verify(tokens[3], backup_code=codes[0])]
    assert [200, 400, 200, 400] == [answer.status_code for answer in answers]
    assert {"code_refused"} == {answer.json()["reason"] for answer in answers[1::2]}


async def test_one_code_sent_twenty_times_at_once_signs_in_once(ann: Ann) -> None:
    await ann.enrol()
    tokens = [(await ann.enter())["mfa_token"] for _ in range(20)]
    code = ann.code()
    answers = await asyncio.gather(*(ann.verify(token, code=code) for token in tokens))
    assert 1 == [answer.status_code for answer in answers].count(200)


async def test_a_route_that_wants_a_second_factor_says_so_in_one_shape(ann: Ann) -> None:
    assert ("not_authenticated", 401) == _refusal(await ann.browser.get("/vault"))
    await ann.enter()
    assert ("not_enabled", 409) == _refusal(await ann.browser.get("/vault"))
    await ann.enrol()
    assert 200 == (await ann.browser.get("/vault")).status_code


async def test_a_proof_that_has_grown_old_is_asked_for_again(ann: Ann) -> None:
    await ann.enrol()
    ann.clock.move(FRESH)
    assert 200 == (await ann.browser.post("/payout")).status_code
    ann.clock.move(timedelta(seconds=1))
    refused = await ann.browser.post("/payout")
    assert ("step_up_required", 403) == _refusal(refused)
    assert (["totp", "backup_code"], 300) == (refused.json()["methods"], refused.json()["max_age"])
    assert 'Bearer error="insufficient_user_authentication", max_age="300"' == refused.headers["WWW-Authenticate"]
    assert 200 == (await ann.browser.post(f"{API}/step-up", json={"code": ann.code()})).status_code
    assert 200 == (await ann.browser.post("/payout")).status_code


async def test_another_site_cannot_use_the_cookie(ann: Ann) -> None:
    await ann.enrol()
    foreign = {"Origin": "https://elsewhere.example"}
    assert ("origin_refused", 403) == _refusal(await ann.browser.post("/payout", headers=foreign))
    assert ("origin_refused", 403) == _refusal(await ann.browser.post("/enter", headers=ANN | foreign))


async def test_whoever_the_host_keeps_out_stays_out(ann: Ann, host: Host) -> None:
    await ann.enter()
    await host.run(lambda connection: connection.execute(host.model.__table__.update().values(is_blocked=True)))
    assert 401 == (await ann.browser.get("/me")).status_code
    assert ("credentials_refused", 401) == _refusal(await ann.browser.post("/enter", headers=ANN))


async def test_what_goes_with_an_account_goes_with_it(ann: Ann, host: Host) -> None:
    await ann.enrol()
    await host.run(lambda connection: connection.execute(host.model.__table__.delete()))
    left = await host.run(
        lambda connection: {
            table.name: connection.execute(table.select()).all()
            for table in host.base.metadata.sorted_tables
            if "user_id" in table.columns and not table.name.endswith("audit_events")
        }
    )
    assert 6 == len(left)
    assert not any(left.values())


async def test_the_host_is_told_what_happens_and_no_request_fails_by_what_it_does_then(
    ann: Ann, host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    codes = await ann.enrol()
    first, second = [(await ann.enter())["mfa_token"] for _ in range(2)]
    await ann.verify(first, backup_code=codes[0])
    await ann.verify(second, backup_code=codes[0])
    assert 204 == (await ann.browser.post(f"{API}/logout", json={})).status_code
    for _ in range(3):  # until what was begun beside the last request has ended
        await asyncio.sleep(0)
    told = [(str(one.event), one.reason) for one in host.events]
    assert [
        ("sign_in_host", None), ("setup_started", None), ("authenticator_confirmed", None),
        ("sign_in_host", None), ("sign_in_host", None),
        ("sign_in_code", None), ("sign_in_code", "replayed"), ("code_replayed", None), ("signed_out", None),
    ] == told  # fmt: skip
    assert {host.key_of(1)} == {one.user_id for one in host.events}
    assert {"method": "backup_code"} == host.events[5].detail
    assert "on_event failed: ValueError" in caplog.text
    assert "own fault" not in caplog.text


async def test_mail_is_the_hosts_whatever_settings_it_gives(ann: Ann, host: Host) -> None:
    assert not any("mail" in name for name in host.base.metadata.tables)
    auth = host.umbra.auth
    given = auth.settings.model_dump() | {"smtp_url": "smtp://127.0.0.1:1", "mail_from": "umbra@login.example"}
    host.umbra.auth = replace(auth, settings=checked(given))
    codes = await ann.enrol()
    asked = await ann.enter()
    assert 200 == (await ann.verify(asked["mfa_token"], backup_code=codes[0])).status_code
    assert 200 == (await ann.verify((await ann.enter())["mfa_token"])).status_code
    assert 0 == (await upkeep.clean_up(host.umbra.auth)).mails


async def test_a_browser_that_has_shown_a_code_has_guesses_of_its_own(ann: Ann, host: Host) -> None:
    auth, key = host.umbra.auth, host.key_of(1)
    await ann.enrol()
    assert 200 == (await ann.verify((await ann.enter())["mfa_token"])).status_code
    assert 400 == (await ann.verify((await ann.enter())["mfa_token"], code="000000")).status_code
    async with auth.db.read() as tx:
        known = await attempts.standing(tx, attempts.known_totp_budget(key), auth.clock.now())
        others = await attempts.standing(tx, attempts.totp_budget(key), auth.clock.now())
    assert (1, 0) == (known.failures, others.failures)


async def test_the_hosts_migrations_see_our_tables_once_and_its_own_table_unchanged(host: Host) -> None:
    def proposed(connection: Any) -> Any:
        return compare_metadata(MigrationContext.configure(connection), host.base.metadata)

    assert 10 == len([one for one in await host.run(proposed) if one[0] == "add_table"])
    await host.run(host.base.metadata.create_all)
    assert [] == await host.run(proposed)
    columns = await host.run(lambda connection: inspect(connection).get_columns("members"))
    assert {"id", "handle", "is_blocked"} == {column["name"] for column in columns}


async def test_without_the_tables_the_application_does_not_start_and_says_why(host: Host) -> None:
    with pytest.raises(Misconfigured, match="run the migration"):
        async with host.umbra.lifespan(host.app):
            pass


async def test_registration_and_passwords_are_the_hosts_where_it_did_not_hand_them_over(ann: Ann) -> None:
    for path in ("/register", "/login", "/password"):
        assert 404 == (await ann.browser.post(API + path, json={})).status_code


async def test_a_field_that_the_model_has_not_is_named(host: Host) -> None:
    with pytest.raises(Misconfigured, match="Member has no column 'nickname'"):
        Umbra(
            engine=host.engine, user_model=host.model, login_field="nickname", issuer="Acme",
            encryption_keys=[new_key().reveal()],
        )  # fmt: skip


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"sesion_idle": 60}, "there is no setting sesion_idle"),
        ({"smtp_url": "smtp://127.0.0.1"}, "smtp_url: only the server has that"),
        ({"session_idle": 0}, "UMBRA_SESSION_IDLE: must be more than 0 seconds"),
        ({"public_url": "http://acme.example"}, "UMBRA_PUBLIC_URL: must be https"),
    ],
)
async def test_a_setting_that_is_wrong_is_named(host: Host, given: dict[str, Any], said: str) -> None:
    with pytest.raises(Misconfigured, match=said):
        Umbra(
            engine=host.engine, user_model=host.model, login_field="handle", issuer="Acme",
            encryption_keys=[new_key().reveal()], **given,
        )  # fmt: skip


def _refusal(answer: httpx.Response) -> tuple[str, int]:
    assert "application/problem+json" == answer.headers["Content-Type"]
    return answer.json()["reason"], answer.status_code
