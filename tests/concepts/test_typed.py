import unicodedata
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from umbra.core import typed
from umbra.core.errors import InvalidRequest

any_text = st.text(st.characters(), max_size=40)  # lone surrogates too


@pytest.mark.parametrize("text", ["123456", "123 456", " 1-2-3-4-5-6 ", "123-456"])
def test_spaces_and_hyphens_in_a_code_do_not_count(text: str) -> None:
    assert "123456" == typed.totp_code(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "12345", "1234567", "12345a", "+12345", "0x1234", "1_2345"),
        *("\uff11" * 6, "\u0661" * 6, "12345\u00b2", "\ud8001234"),
        *("123\t456", "123\u00a0456", "12345\n6"),
    ],
)
def test_anything_but_six_ascii_digits_is_no_code(text: str) -> None:
    with pytest.raises(InvalidRequest):
        typed.totp_code(text)


@given(any_text)
def test_any_text_is_a_code_or_a_refusal_and_never_a_crash(text: str) -> None:
    try:
        code = typed.totp_code(text)
    except InvalidRequest:
        return
    assert 6 == len(code)
    assert set(code) <= set("0123456789")


@given(any_text)
def test_any_text_is_a_name_or_a_refusal_and_cleaning_twice_changes_nothing(text: str) -> None:
    for clean in (typed.username, typed.authenticator_name, typed.email):
        try:
            once = clean(text)
        except InvalidRequest:
            continue
        assert once == clean(once)
        once.encode()


@pytest.mark.parametrize(
    "domain", ["example.com", "localhost", "exa-mple_1.com", "b\u00fccher.example", "\u0939\u093f\u0928.example",
               "[192.0.2.1]", "[IPv6:2001:db8::1]"]
)  # fmt: skip
def test_the_domain_of_an_address_is_a_name_or_an_address_in_brackets(domain: str) -> None:
    assert f"alice@{domain}" == typed.email(f" alice@{domain} ")


@pytest.mark.parametrize(
    "domain", ["", "[", "]", "[]", "[example]", "[192.0.2.1", "a,b", "a<", "a>b", "a(b)", "a;", 'a"', "a:1"]
)
def test_any_other_domain_is_refused(domain: str) -> None:
    with pytest.raises(InvalidRequest):
        typed.email(f"alice@{domain}")


@pytest.mark.parametrize(("length", "accepted"), [(1, True), (64, True), (65, False), (0, False)])
def test_a_name_has_one_to_64_characters_after_trimming(length: int, *, accepted: bool) -> None:
    text = " " * 300 + "n" * length + "  "
    if accepted:
        assert "n" * length == typed.authenticator_name(text)
    else:
        with pytest.raises(InvalidRequest):
            typed.authenticator_name(text)


@pytest.mark.parametrize("text", ["a\0b", "a\nb", "a\u202eb", "\ud800", " ", "a\N{ZERO WIDTH SPACE}b"])
def test_names_hold_printable_characters_only(text: str) -> None:
    with pytest.raises(InvalidRequest):
        typed.username(text)


def test_names_that_differ_in_case_are_the_same_name() -> None:
    assert typed.folded("ALICE") == typed.folded("alice")
    assert typed.folded("Straße") == typed.folded("STRASSE")


def test_a_password_is_normalised_and_otherwise_left_as_typed() -> None:
    composed, decomposed = "é" * 15, unicodedata.normalize("NFD", "é" * 15)
    assert typed.password(composed) == typed.password(decomposed)
    assert typed.password(" x ") != typed.password("x")


@pytest.mark.parametrize(("text", "too_long"), [("x" * 1024, False), ("x" * 1025, True), ("é" * 513, True)])
def test_a_password_may_have_1024_bytes(text: str, *, too_long: bool) -> None:
    assert too_long == typed.is_too_long(typed.password(text))


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        (" 2026-01-31 14:00+02:00 ", datetime(2026, 1, 31, 12, tzinfo=UTC)),
    ],
)
def test_a_moment_is_in_utc_unless_it_says_otherwise(text: str, meant: datetime) -> None:
    assert meant == typed.moment("since", text)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-02-30", "0001-01-01T00:00:00+12:00", "1769860800"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="invalid_request") as refusal:
        typed.moment("since", text)
    assert ("since",) == tuple(field for field, _ in refusal.value.problems)
