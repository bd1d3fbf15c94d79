import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.tools import needs
from umbra.core.proof import CodeRefused
from umbra.core.typed import Digits
from umbra.totp.algorithm import Step, acceptable_step, code_for, step_at, steps_of
from umbra.totp.provisioning import base32

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "rfc.json").read_text())
SECRET = VECTORS["rfc6238"]["secret_ascii"].encode()

secrets = st.binary(min_size=20, max_size=20)
steps = st.integers(min_value=20, max_value=2**31 - 20).map(Step)


@pytest.mark.parametrize(("counter", "code"), list(enumerate(VECTORS["rfc4226"]["codes"])))
def test_codes_are_those_of_rfc_4226(counter: int, code: str) -> None:
    assert code == code_for(SECRET, Step(counter))


@pytest.mark.parametrize(("seconds", "code"), VECTORS["rfc6238"]["rows"])
def test_codes_are_those_of_rfc_6238(seconds: int, code: str) -> None:
    assert code == code_for(SECRET, step_at(datetime.fromtimestamp(seconds, UTC)))


@pytest.mark.parametrize(("step", "code"), VECTORS["derived"]["leading_zeros"] + VECTORS["derived"]["wide_counter"])
def test_leading_zeros_stay_and_counters_may_be_wide(step: int, code: str) -> None:
    assert code == code_for(SECRET, Step(step))


@given(secrets, steps)
def test_pyotp_computes_the_same_codes(secret: bytes, step: Step) -> None:
    assert pyotp.HOTP(base32(secret)).at(step) == code_for(secret, step)


def test_oathtool_computes_the_same_codes() -> None:
    needs("oathtool", "oathtool")
    theirs = subprocess.run(
        ["oathtool", "--totp", "-b", "--now", "2026-01-01 12:00:00 UTC", "--window", "5", base32(SECRET)],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    now = step_at(datetime(2026, 1, 1, 12, tzinfo=UTC))
    assert theirs == [code_for(SECRET, Step(now + n)) for n in range(6)]


@pytest.mark.parametrize(("seconds", "step"), [(0, 0), (29.999999, 0), (30, 1), (59, 1), (60, 2)])
def test_a_step_begins_with_its_first_moment(seconds: float, step: int) -> None:
    assert step == step_at(datetime.fromtimestamp(seconds, UTC))


@pytest.mark.parametrize(("offset", "accepted"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_one_step_on_each_side_of_now_is_accepted_and_no_other(offset: int, *, accepted: bool) -> None:
    now = Step(1_000)
    found = steps_of(SECRET, code_for(SECRET, Step(now + offset)), now=now)
    if accepted:
        assert now + offset == acceptable_step(found, now=now, after=None)
    else:
        with pytest.raises(CodeRefused) as refusal:
            acceptable_step(found, now=now, after=None)
        assert "late" == refusal.value.cause


@pytest.mark.parametrize(("after", "accepted"), [(998, True), (999, True), (1_000, False), (1_001, False)])
def test_only_steps_later_than_the_last_one_are_accepted(after: int, *, accepted: bool) -> None:
    now = Step(1_000)
    found = steps_of(SECRET, code_for(SECRET, now), now=now)
    if accepted:
        assert now == acceptable_step(found, now=now, after=Step(after))
    else:
        with pytest.raises(CodeRefused) as refusal:
            acceptable_step(found, now=now, after=Step(after))
        assert "superseded" == refusal.value.cause


def test_digits_that_belong_to_two_steps_are_taken_for_the_earlier() -> None:
    (first, code), (second, _) = VECTORS["derived"]["same_code_two_steps_apart"]
    now = Step(first + 1)
    found = steps_of(SECRET, Digits(code), now=now)
    assert [first, second] == found
    assert first == acceptable_step(found, now=now, after=None)


@given(secrets, steps, st.integers(-12, 12), st.one_of(st.none(), st.integers(-12, 12)))
def test_no_step_is_ever_accepted_at_or_before_the_last(
    secret: bytes, now: Step, offset: int, last: int | None
) -> None:
    after = None if last is None else Step(now + last)
    found = steps_of(secret, code_for(secret, Step(now + offset)), now=now)
    try:
        accepted = acceptable_step(found, now=now, after=after)
    except CodeRefused:
        return
    assert abs(accepted - now) <= 1
    assert after is None or accepted > after


@given(secrets, steps, st.from_regex(r"[0-9]{6}", fullmatch=True))
def test_any_six_digits_are_an_acceptable_step_or_a_refusal(secret: bytes, now: Step, code: str) -> None:
    found = steps_of(secret, Digits(code), now=now)
    assert all(code == code_for(secret, step) for step in found)
    assert found == sorted(set(found))
