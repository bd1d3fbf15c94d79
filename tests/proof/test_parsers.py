"""Any text is a value or a refusal that says so; nothing else comes out of what reads it."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from cryptography.fernet import Fernet
from hypothesis import example, given
from hypothesis import strategies as st

from proof.conftest import Counting
from proof.effort import trying
from umbra.backup_codes import codes
from umbra.core import agents, typed
from umbra.core.errors import InvalidRequest, NotFound
from umbra.crypto import tokens
from umbra.imports import columns, otpauth_csv
from umbra.imports import record as records
from umbra.imports.record import CannotCome
from umbra.pages import forms
from umbra.web import caller
from umbra.web.ids import number

TEXTS = 80
"""How many for each reader, times the effort."""

KEYS = [Fernet(Fernet.generate_key())]

moments = st.datetimes(timezones=st.timezones())
near = st.text(st.sampled_from("0123456789ABCDEFabcdef -=%&;:.,/?#+~_@\0\t\n\u202e\u0660\uff11é\ud800\U0001f511"))
texts = st.one_of(st.text(), near, st.text(st.sampled_from("0123456789 -"), max_size=9))

READERS: dict[str, Callable[[str], Any]] = {
    "a code": typed.totp_code,
    "a user name": typed.username,
    "an authenticator's name": typed.authenticator_name,
    "a mail address": typed.email,
    "a password": lambda text: typed.is_too_long(typed.password(text)),
    "a name to compare": typed.folded,
    "a header": typed.header,
    "a backup code": codes.parse,
    "a form of a page": lambda text: forms.parse(text.encode("utf-8", "surrogatepass")),
    "an id": number,
    "a token": tokens.SESSION.hash_of,
    "a browser's name": agents.named,
    "an address": lambda text: caller.client_address("127.0.0.1", text, ()),
    "a secret in base32": columns.base32_secret,
    "a secret in hexadecimal digits": columns.hex_secret,
    "a Fernet token": lambda text: columns.opened(text, KEYS),
    "a JSON object": columns.object_of,
    "an otpauth URI": lambda text: otpauth_csv.authenticator_of("otpauth://totp/" + text),
    "a URI": otpauth_csv.authenticator_of,
    "a moment": columns.moment,
}
SAY_SO = (InvalidRequest, NotFound, CannotCome)


@pytest.mark.parametrize("what", READERS)
def test_any_text_is_a_value_or_refused(what: str, counting: Counting) -> None:
    read = 0

    @trying(TEXTS)
    @given(texts)
    @example("")
    @example("é")
    @example("[" * 100_000)
    @example("0001-01-01T00:00:00+23:59")
    @example("9999-12-31T23:59:59-23:59")
    def is_a_value_or_refused(text: str) -> None:
        nonlocal read
        read += 1
        with suppress(*SAY_SO):
            READERS[what](text)

    is_a_value_or_refused()
    counting({"texts": read})


@trying(TEXTS)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_form_or_refused(body: bytes) -> None:
    with suppress(*SAY_SO):
        forms.parse(body)


@trying(TEXTS)
@given(st.binary(max_size=200) | texts | st.integers() | st.floats() | st.none() | moments)
def test_whatever_a_column_holds_is_a_value_or_cannot_come(value: Any) -> None:
    for read in (columns.text_of, columns.object_of, columns.texts_of, columns.moment, columns.is_set, records.step):
        with suppress(*SAY_SO):
            read(value)


@trying(TEXTS)
@given(st.dictionaries(st.sampled_from(["code", "backup_code", "password", "name"]), texts))
def test_any_fields_are_a_proof_or_refused(fields: dict[str, str]) -> None:
    for read in (forms.Form.proof, forms.Form.second_factor):
        with suppress(*SAY_SO):
            read(forms.Form(fields))
