"""Whatever is sent gets a refusal of the contract's form, changes nothing, and is repeated nowhere."""

import json
import logging
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.people import API, Person

JSON = {"Content-Type": "application/json"}
MARK = "hunter2-hunter2"

MALFORMED = {
    "nothing": b"",
    "no JSON": b"{",
    "two values": b"{} {}",
    "an array": b"[]",
    "a string": b'"x"',
    "null": b"null",
    "NaN": b'{"username": "alice", "password": NaN}',
    "Infinity": b'{"username": "alice", "password": -Infinity}',
    "a huge number": b'{"username": "alice", "password": 1e999}',
    "a very long number": b'{"username": "alice", "password": ' + b"9" * 5_000 + b"}",
    "a member twice": b'{"username": "alice", "password": "x", "password": "hunter2-hunter2"}',
    "an unknown member": b'{"username": "alice", "password": "x", "hunter2-hunter2": 1}',
    "a lone surrogate": b'{"username": "alice", "password": "hunter2-hunter2\\ud800"}',
    "a NUL": b'{"username": "alice", "password": "hunter2-hunter2\\u0000"}',
    "a number for text": b'{"username": "alice", "password": 12345678}',
    "true for text": b'{"username": true, "password": "hunter2-hunter2"}',
    "an object for text": b'{"username": {"$ne": 1}, "password": "hunter2-hunter2"}',
    "null for text": b'{"username": "alice", "password": null}',
    "UTF-16": '{"username": "alice", "password": "hunter2-hunter2"}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"username": "alice", "password": "x"}',
    "no UTF-8": b'{"username": "alice", "password": "\xff\xfe"}',
    "deep nesting": b"[" * 30_000,
    "an unknown delivery": b'{"username": "alice", "password": "x", "delivery": "hunter2-hunter2"}',
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
async def test_a_body_that_is_not_of_the_form_is_refused(client: httpx.AsyncClient, body: bytes) -> None:
    answer = await client.post(API + "/login", content=body, headers=JSON)
    assert (422, "invalid_request") == (answer.status_code, answer.json()["reason"])
    assert all({"field", "problem"} == set(one) for one in answer.json()["errors"])
    assert MARK not in answer.text


async def test_a_bad_body_is_no_empty_one(alice: Person) -> None:
    for body in (b"{", b"[]", b"0", b'"x"', b'{"a": 1}'):
        assert 422 == (await alice.client.post(API + "/totp/setup", content=body, headers=JSON)).status_code
        assert 422 == (await alice.client.post(API + "/logout", content=body, headers=JSON)).status_code


async def test_ten_megabytes_are_too_large(client: httpx.AsyncClient) -> None:
    answer = await client.post(API + "/login", content=b"x" * 10_000_000, headers=JSON)
    assert (413, "too_large") == (answer.status_code, answer.json()["reason"])


@pytest.mark.parametrize(("size", "status"), [(64 * 1024, 422), (64 * 1024 + 1, 413)])
async def test_a_body_may_have_64_kib(client: httpx.AsyncClient, size: int, status: int) -> None:
    assert status == (await client.post(API + "/login", content=b" " * size, headers=JSON)).status_code


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""])
async def test_another_media_type_is_refused(client: httpx.AsyncClient, media_type: str) -> None:
    headers = {"Content-Type": media_type} if media_type else {}
    answer = await client.post(API + "/login", content=b"{}", headers=headers)
    assert (415, "unsupported_media_type") == (answer.status_code, answer.json()["reason"])


@pytest.mark.parametrize("media_type", ["application/json; charset=utf-8", "APPLICATION/JSON"])
async def test_a_media_type_is_read_as_http_reads_it(client: httpx.AsyncClient, media_type: str) -> None:
    assert 422 == (await client.post(API + "/login", content=b"{}", headers={"Content-Type": media_type})).status_code


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/totp-verify", {"mfa_token": "umc_x"}),
        ("/totp-verify", {"mfa_token": "umc_x", "code": "123456", "backup_code": "x"}),
        ("/totp-verify", {"mfa_token": "umc_x", "code": 123456}),
        ("/totp-verify", {"mfa_token": "umc_x", "code": "\uff11" * 6}),
        ("/totp-verify", {"mfa_token": "umc_x", "code": "12345"}),
        ("/totp-verify", {"mfa_token": "umc_x", "backup_code": "AAAA-AAAA"}),
        ("/step-up", {}),
        ("/step-up", {"code": "123456", "password": "x"}),
        ("/totp/confirm", {"code": "abcdef"}),
        ("/totp/setup", {"name": ""}),
        ("/totp/setup", {"name": "n" * 65}),
        ("/totp/setup", {"name": "a\nb"}),
        ("/totp/setup", {"new_secret": "true"}),
        ("/totp/setup", {"new_secret": 1}),
        ("/password", {"current_password": "x"}),
        ("/register", {"username": "bob", "password": "x", "email": "no address"}),
        ("/register", {"username": "\u202e", "password": "x"}),
        ("/register", {"username": "n" * 129, "password": "x"}),
    ],
)
async def test_a_field_that_is_not_of_its_form_is_refused(alice: Person, path: str, body: dict[str, Any]) -> None:
    answer = await alice.post(path, body)
    assert (422, "invalid_request") == (answer.status_code, answer.json()["reason"]), answer.text
    assert answer.json()["errors"]


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("short", "at least 15"),
        ("x" * 1025, "at most 1024 bytes"),
        ("é" * 513, "at most 1024 bytes"),
        ("passwordpassword", "too easy"),
        ("123456789012345678", "too easy"),
        ("carolinecaroline", "your name"),
        ("CAROLINE-umbra-1", "your name or ours"),
    ],
)
async def test_a_password_that_is_not_good_enough_is_refused_with_the_reason(
    client: httpx.AsyncClient, password: str, why: str
) -> None:
    answer = await client.post(API + "/register", json={"username": "Caroline", "password": password})
    assert (422, "password_refused") == (answer.status_code, answer.json()["reason"])
    assert why in answer.json()["detail"]
    assert password not in answer.text


@pytest.mark.parametrize(
    "password",
    [
        "q" + "wvbnmzxkjhgfsa",
        "\U0001f511\U0001f30a \u00fc\u00df \u0142\u017c \u0434\u043e\u0436\u0434\u044c 7",
        " x y z spaces kept 77 ",
    ],
)
async def test_any_characters_may_make_a_password(client: httpx.AsyncClient, password: str) -> None:
    body = {"username": "dora", "password": password}
    assert 201 == (await client.post(API + "/register", json=body)).status_code
    assert 200 == (await client.post(API + "/login", json=body)).status_code
    trimmed = {"username": "dora", "password": password.strip()}
    assert (200 if password.strip() == password else 401) == (
        await client.post(API + "/login", json=trimmed)
    ).status_code


async def test_every_character_of_a_password_counts(client: httpx.AsyncClient) -> None:
    long = "seven brass otters sing " * 8
    body = {"username": "dora", "password": long + "1"}
    assert 201 == (await client.post(API + "/register", json=body)).status_code
    for wrong in (long + "2", long, long + "11", body["password"].swapcase()):
        assert 401 == (await client.post(API + "/login", json=body | {"password": wrong})).status_code
    assert 200 == (await client.post(API + "/login", json=body)).status_code


async def test_a_password_that_is_longer_than_any_can_be_is_a_wrong_one(alice: Person) -> None:
    answer = await alice.post("/login", {"username": "alice", "password": alice.password + "x" * 2_000})
    assert (401, "credentials_refused") == (answer.status_code, answer.json()["reason"])


async def test_a_taken_name_is_told_whatever_its_case(alice: Person) -> None:
    answer = await alice.post("/register", {"username": "ALICE", "password": alice.password})
    assert (409, "username_taken") == (answer.status_code, answer.json()["reason"])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
field_names = st.sampled_from(["username", "password", "mfa_token", "code", "backup_code", "delivery", "name"])
PATHS = ["/register", "/login", "/totp-verify", "/totp/setup", "/totp/confirm", "/totp/disable", "/step-up"]
PATHS += ["/password", "/totp/backup-codes/regenerate", "/totp/authenticators/1/remove", "/logout"]
PATHS += ["/email/proof", "/email/proof/confirm"]


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(path=st.sampled_from(PATHS), body=st.dictionaries(field_names | st.text(max_size=8), json_values, max_size=5))
async def test_no_json_makes_a_fault(alice: Person, path: str, body: dict[str, Any]) -> None:
    answer = await alice.client.post(API + path, content=json.dumps(body).encode(), headers=JSON)
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert "application/problem+json" == answer.headers["Content-Type"]
        assert answer.status_code == answer.json()["status"]


async def test_the_log_repeats_nothing_that_was_sent(enrolled: Person, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("hypothesis").setLevel(logging.WARNING)
    code = enrolled.fresh_code()
    await enrolled.post("/login", {"username": MARK, "password": MARK})
    await enrolled.verify(code=code)
    await enrolled.verify(code=code)
    await enrolled.verify(backup_code=enrolled.backup_codes[0])
    text = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith(("umbra", "uvicorn")))
    for secret in (MARK, code, enrolled.backup_codes[0], enrolled.password, enrolled.client.cookies["umbra_session"]):
        assert secret not in text
