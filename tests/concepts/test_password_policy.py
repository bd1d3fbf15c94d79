import pytest
from hypothesis import given
from hypothesis import strategies as st
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from umbra.core.secret import Secret
from umbra.passwords import policy
from umbra.passwords.errors import PasswordRefused

SHORTEST = 8
"""The least that ``UMBRA_PASSWORD_MIN_LENGTH`` may be."""


def check(text: str) -> None:
    policy.check(Secret(text), min_length=15, username="alice", email="alice@example.com", service="Umbra")


@given(st.text(st.sampled_from("4@8({[<369!|10$5+7%2abcdefg"), min_size=15, max_size=300))
def test_what_the_estimator_is_given_has_few_readings(text: str) -> None:
    given_to_it = policy._bounded(text)
    assert len(given_to_it) <= policy.ESTIMATED_CHARACTERS
    assert sum(chr(twin) in given_to_it for twin in policy.TWINS) <= policy.MOST_TWINS


def test_a_password_made_to_keep_the_estimator_busy_is_decided_like_any_other() -> None:
    check('"4@8({[</369&#!1/|0$5+7%2"*3' * 3)


@pytest.mark.parametrize("text", ["!@#$%^&*()_+!@#", "p4$$w0rd!1p4$$w0rd!1", "qwertyuiopasdfgh"])
def test_clever_spellings_of_common_words_stay_common(text: str) -> None:
    with pytest.raises(PasswordRefused):
        check(text)


def test_the_commonest_passwords_are_refused_however_short_they_may_be() -> None:
    """
    ASVS 5.0, 6.2.4: the 3,000 most common ones that are as long as the operator may allow.
    """
    common = [text for text in FREQUENCY_LISTS["passwords"] if len(text) >= SHORTEST][:3_000]
    assert 3_000 == len(common)
    for text in common:
        with pytest.raises(PasswordRefused):
            policy.check(Secret(text), min_length=SHORTEST, username="alice", email=None, service="Umbra")
