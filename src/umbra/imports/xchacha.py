"""XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03), for reading only. Pure."""

import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

NONCE_BYTES = 24
TAG_BYTES = 16

_HALF = 16
_WORDS = struct.Struct("<16I")
_CONSTANTS = struct.unpack("<4I", b"expand 32-byte k")


class NotOpened(Exception):
    """The key is another one, or the text has been changed."""


def decrypt(key: bytes, sealed: bytes) -> bytes:
    """Return what ``sealed``, which begins with its nonce, holds.

    Raises:
        NotOpened: Not with this key.
    """
    nonce, text = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
    if len(text) < TAG_BYTES:
        raise NotOpened
    cipher = ChaCha20Poly1305(subkey(key, nonce[:_HALF]))
    try:
        return cipher.decrypt(bytes(4) + nonce[_HALF:], text, None)
    except InvalidTag:
        raise NotOpened from None


def subkey(key: bytes, nonce: bytes) -> bytes:
    """Return HChaCha20 of a key and 16 bytes: a block of ChaCha20 before what it began with is added to it.

    Only the finished block can be had, so that is subtracted again, in the eight words of which HChaCha20 is made.
    """
    stream = Cipher(algorithms.ChaCha20(key, nonce), mode=None).encryptor().update(bytes(_WORDS.size))
    block = _WORDS.unpack(stream)
    began = (*_CONSTANTS, *struct.unpack("<4I", nonce))
    words = [(after - before) % 2**32 for after, before in zip(block[:4] + block[12:], began, strict=True)]
    return struct.pack("<8I", *words)
