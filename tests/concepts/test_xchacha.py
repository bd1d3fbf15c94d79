import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from umbra.imports import xchacha

VECTORS = Path(__file__).parent.parent / "vectors"


def test_the_subkey_is_as_the_draft_has_it() -> None:
    """
    draft-irtf-cfrg-xchacha-03, 2.2.1.
    """
    nonce = bytes.fromhex("000000090000004a0000000031415927")
    assert "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc" == (
        xchacha.subkey(bytes(range(32)), nonce).hex()
    )


@given(st.binary(max_size=60))
def test_what_is_not_sealed_with_the_key_is_refused_and_never_a_crash(sealed: bytes) -> None:
    with pytest.raises(xchacha.NotOpened):
        xchacha.decrypt(bytes(32), sealed)


def test_a_changed_bit_is_refused() -> None:
    from hashlib import sha256  # noqa: PLC0415

    there = json.loads((VECTORS / "better_auth.json").read_text())
    key = sha256(there["secret"].encode()).digest()
    sealed = bytearray.fromhex(there["twoFactor"][0]["secret"])
    assert 32 == len(xchacha.decrypt(key, bytes(sealed)))
    for place in (0, 23, 24, len(sealed) - 1):
        changed = sealed.copy()
        changed[place] ^= 1
        with pytest.raises(xchacha.NotOpened):
            xchacha.decrypt(key, bytes(changed))
