"""How long what we make is, and that comparing it tells nothing."""

import base64
import hmac

import pytest

from support.people import Person
from umbra.core.entropy import SystemEntropy
from umbra.core.secret import Secret
from umbra.crypto import tokens
from umbra.crypto.tokens import TokenKind
from umbra.pages import csrf
from umbra.totp.algorithm import Step, code_for, steps_of

KINDS = [tokens.SESSION, tokens.CHALLENGE, tokens.FIRST_RUN, tokens.BROWSER]
SECRET = b"12345678901234567890"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.prefix)
def test_a_token_is_a_prefix_and_256_bits_that_never_come_again(kind: TokenKind) -> None:
    made = [kind.new(SystemEntropy()).reveal() for _ in range(1_000)]
    bodies = {base64.urlsafe_b64decode(one.removeprefix(kind.prefix) + "=") for one in made}
    assert {32} == {len(body) for body in bodies}
    assert len(made) == len(bodies)


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Every outcome of the standard library's comparison in constant time, as it is asked for."""
    outcomes: list[bool] = []
    constant_time = hmac.compare_digest

    def compare(one: bytes, other: bytes) -> bool:
        outcomes.append(constant_time(one, other))
        return outcomes[-1]

    monkeypatch.setattr(hmac, "compare_digest", compare)
    return outcomes


def test_a_right_code_costs_as_many_comparisons_as_a_wrong_one(compared: list[bool]) -> None:
    now = Step(1_000)
    for reach, comparisons in ((1, 3), (10, 21)):
        costs = set()
        for step in (now, Step(now - 1), Step(now + 10), Step(now + 500)):
            steps_of(SECRET, code_for(SECRET, step), now=now, reach=reach)
            costs.add(len(compared))
            compared.clear()
        assert {comparisons} == costs


async def test_a_refused_code_costs_as_many_comparisons_whatever_is_wrong_with_it(
    enrolled: Person, compared: list[bool]
) -> None:
    used = enrolled.fresh_code()
    assert (await enrolled.verify(code=used)).is_success
    costs = set()
    for code in (used, enrolled.wrong_code(), enrolled.code(-1), enrolled.code(5), enrolled.code(-10)):
        token = await enrolled.challenge()
        compared.clear()
        assert "code_refused" == (await enrolled.verify(token, code=code)).json()["reason"]
        costs.add(len(compared))
    assert {24} == costs


def test_secrets_and_marks_of_forms_are_compared_in_constant_time(compared: list[bool]) -> None:
    assert Secret("one") != Secret("other")
    csrf.check(csrf.of("ums_x"), "ums_x")
    assert [False, True] == compared
