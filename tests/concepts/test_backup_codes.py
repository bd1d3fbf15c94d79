import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from umbra.backup_codes import codes
from umbra.core.crockford import ALPHABET
from umbra.core.entropy import SystemEntropy
from umbra.core.errors import InvalidRequest

ENTROPY = SystemEntropy()


def test_a_set_is_ten_codes_whose_selectors_differ() -> None:
    made = codes.new_set(ENTROPY)
    assert 10 == len({code.selector for code in made})
    assert 10 == len({code.shown() for code in made})


def test_a_code_has_eighty_bits_beyond_what_is_stored_in_clear() -> None:
    assert 32 == len(set(ALPHABET))
    assert 80 == 5 * codes.SECRET_CHARACTERS
    assert not set("ILOU") & set(ALPHABET)


def test_a_shown_code_is_read_back_in_any_case_and_grouping() -> None:
    code = codes.new_set(ENTROPY)[0]
    shown = code.shown()
    for text in (shown, shown.lower(), shown.replace("-", ""), shown.replace("-", " "), f" {shown} "):
        assert (code.selector, code.text) == (codes.parse(text).selector, codes.parse(text).text)


def test_look_alikes_are_read_as_what_is_meant() -> None:
    code = next(code for _ in range(1_000) for code in codes.new_set(ENTROPY) if {"0", "1"} <= set(code.text.reveal()))
    plain = code.text.reveal()
    assert codes.parse(plain.replace("0", "O").replace("1", "l")).text == code.text
    assert codes.parse(plain.replace("0", "o").replace("1", "I")).text == code.text


def test_every_single_wrong_character_is_told_as_a_typing_error() -> None:
    text = codes.new_set(ENTROPY)[0].text.reveal()
    for position, other in itertools.product(range(len(text)), ALPHABET):
        mistyped = text[:position] + other + text[position + 1 :]
        if mistyped != text:
            assert isinstance(codes.parse(mistyped).fault, InvalidRequest)


def test_every_two_characters_that_changed_places_are_told_as_a_typing_error() -> None:
    text = codes.new_set(ENTROPY)[0].text.reveal()
    for i, j in itertools.combinations(range(len(text)), 2):
        letters = list(text)
        letters[i], letters[j] = letters[j], letters[i]
        if "".join(letters) != text:
            assert isinstance(codes.parse("".join(letters)).fault, InvalidRequest)


@given(st.text(st.characters(), max_size=30))
def test_any_text_is_a_backup_code_or_a_refusal_and_never_a_crash(text: str) -> None:
    try:
        proof = codes.parse(text)
    except InvalidRequest:
        return
    assert (codes.LENGTH == len(proof.text.reveal())) or proof.fault is not None
    assert (proof.selector is None) == (proof.fault is not None)


def test_what_can_be_nobodys_code_is_refused_at_the_border() -> None:
    for text in ("", " - ", "ä" * 20, "x" * (codes.LONGEST_IMPORTED + 1)):
        with pytest.raises(InvalidRequest):
            codes.parse(text)
    assert codes.parse("x" * codes.LONGEST_IMPORTED).fault is not None


def test_no_code_of_ours_has_a_selector_of_imported_ones() -> None:
    assert not set(codes.IMPORTED) & set(ALPHABET)


def test_a_proof_does_not_print() -> None:
    code = codes.new_set(ENTROPY)[0]
    proof = codes.parse(code.shown())
    assert code.shown() not in f"{proof!r} {proof.typed}"
    assert code.text.reveal() not in f"{proof!r} {code!r} {code.text} {code.text!r}"
