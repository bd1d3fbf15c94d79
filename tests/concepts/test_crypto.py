import asyncio
import os
import sys
import threading
import time
from contextlib import AsyncExitStack
from pathlib import Path

import argon2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from umbra.core.entropy import SystemEntropy
from umbra.core.errors import Busy, Misconfigured
from umbra.core.secret import Secret
from umbra.crypto import envelope, keyring, tokens
from umbra.crypto.argon import (
    BUSY_SHARE,
    LOOKS_EVERY_SECONDS,
    NICENESS,
    PROFILES,
    QUEUE_PER_THREAD,
    REST_PER_WORK,
    SEEN_FOR_SECONDS,
    HashingPool,
    Pace,
)
from umbra.crypto.envelope import MovedSecret, Place
from umbra.crypto.keyring import Keyring, UnreadableToken, new_key

CHEAP = argon2.Parameters(
    type=argon2.Type.ID, version=19, salt_len=16, hash_len=32, time_cost=1, memory_cost=8, parallelism=1
)
HERE = Place("totp", 17, 3)


def test_a_sealed_secret_opens_in_its_place() -> None:
    keys = Keyring.of(new_key().reveal())
    assert Secret(b"s" * 20) == envelope.unseal(keys, envelope.seal(keys, Secret(b"s" * 20), HERE), HERE)


@pytest.mark.parametrize("elsewhere", [Place("totp", 18, 3), Place("totp", 17, 4), Place("other", 17, 3)])
def test_a_sealed_secret_is_refused_in_any_other_place(elsewhere: Place) -> None:
    keys = Keyring.of(new_key().reveal())
    with pytest.raises(MovedSecret):
        envelope.unseal(keys, envelope.seal(keys, Secret(b"s" * 20), HERE), elsewhere)


def test_a_token_of_ours_that_is_no_envelope_is_refused() -> None:
    keys = Keyring.of(new_key().reveal())
    with pytest.raises(MovedSecret):
        envelope.unseal(keys, keys.seal(b'{"secret": 1}'), HERE)


def test_one_flipped_character_makes_a_token_unreadable() -> None:
    keys = Keyring.of(new_key().reveal())
    token = envelope.seal(keys, Secret(b"s" * 20), HERE)
    other = "A" if token[40] != "A" else "B"
    with pytest.raises(UnreadableToken):
        envelope.unseal(keys, token[:40] + other + token[41:], HERE)


def test_the_same_secret_sealed_twice_differs() -> None:
    keys = Keyring.of(new_key().reveal())
    assert envelope.seal(keys, Secret(b"s"), HERE) != envelope.seal(keys, Secret(b"s"), HERE)


def test_the_newest_key_seals_and_every_key_opens() -> None:
    old, new = new_key().reveal(), new_key().reveal()
    token = Keyring.of(old).seal(b"x")
    both = Keyring.of(new, old)
    assert (b"x", both.key_ids[1]) == both.open(token)
    assert (b"x", both.key_ids[0]) == both.open(both.seal(b"x"))
    with pytest.raises(UnreadableToken):
        Keyring.of(new).open(token)


@pytest.mark.parametrize(
    "text",
    ["", "x", "A" * 43 + "=", "abcd" * 10 + "abc=", "é" * 44, "wX7c" * 10 + "wX"],
)
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(Misconfigured):
        Keyring.of(text)


def test_no_key_at_all_is_refused() -> None:
    with pytest.raises(Misconfigured):
        Keyring.of()


def test_a_changed_key_file_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    old, new = new_key().reveal(), new_key().reveal()
    keyring.write_key_file(file, [old])
    serving = Keyring.from_file(file)
    before = serving.seal(b"x")
    keyring.write_key_file(file, [new, old])
    assert serving.open(before)[0] == b"x"
    assert serving.open(Keyring.of(new).seal(b"y"))[0] == b"y"
    assert Keyring.of(new).open(serving.seal(b"z"))[0] == b"z"


def test_a_key_file_is_private(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    keyring.write_key_file(file, [new_key().reveal()])
    assert 0o600 == file.stat().st_mode & 0o777


def test_keys_and_secrets_do_not_print() -> None:
    key = new_key()
    assert key.reveal() not in f"{key} {key!r} {Keyring.of(key.reveal())!r} {vars(Keyring.of(key.reveal()))!r}"


def test_a_token_is_known_by_its_own_kind_only() -> None:
    token = tokens.SESSION.new(SystemEntropy())
    assert tokens.SESSION.hash_of(token.reveal()) == tokens.SESSION.hash_of_new(token)
    assert tokens.CHALLENGE.hash_of(token.reveal()) is None
    assert tokens.SESSION.hash_of(token.reveal() + "A") is None
    assert tokens.SESSION.hash_of(token.reveal()[:-1]) is None
    assert token.reveal() not in tokens.SESSION.hash_of_new(token)


@given(st.text(st.characters(), max_size=60))
def test_any_text_is_a_token_or_not_and_never_a_crash(text: str) -> None:
    assert tokens.SESSION.hash_of(text) is None
    assert tokens.SESSION.hash_of("ums_" + text) is None or 43 == len(text)


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_no_profile_is_below_what_owasp_asks(profile: argon2.Parameters) -> None:
    floor = {1: 47_104, 2: 19_456, 3: 12_288}
    assert profile.memory_cost >= floor[profile.time_cost]
    assert argon2.Type.ID == profile.type
    assert profile.salt_len >= 16


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
async def test_nobodys_password_costs_what_everybodys_does(profile: argon2.Parameters) -> None:
    pool = HashingPool(profile)
    assert profile == argon2.extract_parameters(pool.decoy)
    with pytest.raises(argon2.exceptions.VerifyMismatchError):  # it was computed, not refused for its form
        pool.hasher.verify(pool.decoy, b"password")
    pool.close()


@pytest.mark.skipif(sys.platform != "linux", reason="only there each thread has a priority of its own")
async def test_hashing_gives_way_to_the_event_loop() -> None:
    pool = HashingPool(CHEAP, threads=1)
    async with pool.slot() as slot:
        theirs = await slot.run(lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
    assert theirs == min(19, os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) + NICENESS)
    pool.close()


async def test_a_full_pool_is_busy_and_frees_itself() -> None:
    pool = HashingPool(CHEAP, threads=1)
    gate = threading.Event()
    async with AsyncExitStack() as reserved:
        slots = [await reserved.enter_async_context(pool.slot()) for _ in range(1 + QUEUE_PER_THREAD)]
        held = asyncio.ensure_future(slots[0].run(gate.wait))
        with pytest.raises(Busy):
            await pool.slot().__aenter__()
        gate.set()
        assert await held
    async with pool.slot() as slot:
        (hashed,) = await slot.hash(Secret("password"))
        assert await slot.matches(hashed, Secret("password"))
        assert not await slot.matches(hashed, Secret("Password"))
        assert not await slot.matches(None, Secret("nobody's password"))
    pool.close()


async def test_a_crowd_is_refused_one_after_the_other_and_nobody_else_waits() -> None:
    pool = HashingPool(CHEAP, threads=1)
    async with AsyncExitStack() as reserved:
        for _ in range(1 + QUEUE_PER_THREAD):
            await reserved.enter_async_context(pool.slot())
        with pytest.raises(Busy):
            await pool.slot().__aenter__()
        second = asyncio.create_task(pool.slot().__aenter__())
        await asyncio.sleep(0)
        assert not second.done()
        with pytest.raises(Busy):
            await second
    pool.close()


def test_a_thread_that_hashes_rests_only_while_the_event_loop_is_busy() -> None:
    pace, last, now = Pace(), (99.0, 99.25), 99.25
    pace.look(100.0, 10.0)
    assert 0 == pace.rest(now, *last)
    pace.look(101.0, 10.0 + BUSY_SHARE + 0.01)
    assert 0.25 * REST_PER_WORK == pace.rest(now, *last)
    assert 0.25 == pace.rest(now + 0.25 * (REST_PER_WORK - 1), *last)
    assert 0 == pace.rest(now + 0.25 * REST_PER_WORK, *last)
    pace.look(101.0 + LOOKS_EVERY_SECONDS / 2, 10.0 + BUSY_SHARE + 0.01)  # idle, but for too short a time to tell
    assert 0 < pace.rest(now, *last)
    pace.look(102.0, 10.0 + 2 * BUSY_SHARE)
    assert 0 == pace.rest(now, *last)


def test_a_rest_comes_before_the_next_work_and_ends_when_the_loop_is_seen_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    pace = Pace()
    done: list[object] = []
    asked: list[tuple[float, ...]] = []
    rests = iter([2.0, LOOKS_EVERY_SECONDS / 2, 0.0, 2.0, 0.0])

    def rest(*given: float) -> float:
        asked.append(given)
        return next(rests)

    monkeypatch.setattr(time, "monotonic", lambda: 1000.0)
    monkeypatch.setattr(time, "sleep", done.append)
    monkeypatch.setattr(pace, "rest", rest)
    for _ in range(2):
        pace.keeping(lambda: done.append("work"))
    assert [(1000.0, 0.0, 0.0)] * 3 + [(1000.0, 1000.0, 1000.0)] * 2 == asked
    assert [LOOKS_EVERY_SECONDS, LOOKS_EVERY_SECONDS / 2, "work", LOOKS_EVERY_SECONDS, "work"] == done


def test_a_thread_that_has_no_rest_to_take_hands_the_interpreter_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("it slept"))
    assert "done" == Pace().keeping(lambda: "done")


def test_who_comes_in_a_crowd_makes_nobody_rest() -> None:
    """Thirty-two sign-ins in one moment cost the event loop some 60 ms, at full speed, and then there is no more."""
    pace = Pace()
    pace.look(100.0, 10.0)
    for moment in (0.02, 0.06, 0.11, 0.25):
        pace.look(100.0 + moment, 10.0 + min(moment, 0.06))
        assert 0 == pace.rest(100.0, 99.0, 100.0)
    pace.look(100.5, 10.06)
    assert 0 == pace.rest(100.0, 99.0, 100.0)


@pytest.mark.parametrize("begins", range(0, 200, 10))
@pytest.mark.parametrize("takes", [60, 70])
def test_a_crowd_makes_nobody_rest_whenever_it_comes_between_two_looks(begins: int, takes: int) -> None:
    """Others have come for places before it, so that it meets looks at any moment; all in milliseconds."""
    pace = Pace()
    for moment in range(0, 600, 10):
        pace.look(100 + moment / 1000, 10 + min(max(moment - begins, 0), takes) / 1000)
        assert 0 == pace.rest(100 + moment / 1000, 99.0, 100 + moment / 1000)


def test_a_loop_that_stays_busy_is_seen_within_two_tenths_of_a_second() -> None:
    pace = Pace()
    for moment in range(0, 500, 10):
        pace.look(100 + moment / 1000, 10.0)
    for moment in range(0, 200, 10):
        pace.look(100.5 + moment / 1000, 10 + 0.9 * moment / 1000)
    assert 0 < pace.rest(100.7, 100.6, 100.7)


def test_that_the_event_loop_was_busy_counts_only_while_somebody_looks() -> None:
    pace = Pace()
    pace.look(100.0, 10.0)
    pace.look(101.0, 11.0)
    assert 0 < pace.rest(101.0 + 0.9 * SEEN_FOR_SECONDS, 99.0, 101.0)
    assert 0 == pace.rest(101.0 + SEEN_FOR_SECONDS, 99.0, 101.0)


async def test_a_caller_who_leaves_gives_the_place_back_when_the_thread_is_done() -> None:
    pool = HashingPool(CHEAP, threads=1)
    places = pool._free
    gate = threading.Event()

    async def leaves() -> None:
        async with pool.slot() as slot:
            await slot.run(gate.wait)

    leaving = asyncio.ensure_future(leaves())
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    gate.set()
    pool.threads.submit(os.getpid).result()
    for _ in range(3):
        await asyncio.sleep(0)
    assert places == pool._free
    pool.close()
