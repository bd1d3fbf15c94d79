"""The encryption keys: Fernet keys, newest first."""

import base64
import binascii
import hashlib
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from umbra.core.errors import Misconfigured
from umbra.core.files import replace_private
from umbra.core.secret import Secret

log = logging.getLogger("umbra.keys")

KEY_BYTES = 32
"""A Fernet key: 16 bytes sign, 16 encrypt (the Fernet specification)."""

FEWEST_DISTINCT_BYTES = 17
"""A random key of 32 bytes has about 30 distinct ones; fewer than 17 happens once in some 10^9 keys, or by hand."""


class UnreadableToken(Exception):
    """None of the keys opens the token."""


class _Key:
    __slots__ = ("fernet", "id")

    def __init__(self, text: str) -> None:
        raw = _key_bytes(text)
        self.id = hashlib.sha256(b"umbra.key-id:" + raw).hexdigest()[:12]
        self.fernet = Fernet(base64.urlsafe_b64encode(raw))


class Keyring:
    """Seals under the newest key and opens with any of them.

    Where the keys come from a file, the file is looked at again when it has changed, so that a server goes on
    serving while ``umbra keys new`` and ``umbra keys rotate`` run beside it.
    """

    def __init__(self, read: Callable[[], Sequence[str]], *, file: Path | None = None) -> None:
        self._read = read
        self._file = file
        self._seen = _stamp(file)
        self._keys = _parse(read())

    @classmethod
    def of(cls, *keys: str) -> "Keyring":
        """Return a keyring of ``keys``, newest first.

        Raises:
            Misconfigured: One of them is no key.
        """
        return cls(lambda: keys)

    @classmethod
    def from_file(cls, path: Path) -> "Keyring":
        """Return the keyring of a file that holds one key a line, newest first.

        Raises:
            Misconfigured: The file cannot be read, is empty, or a line is no key.
        """
        return cls(lambda: read_key_file(path), file=path)

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The keys' public names, newest first; they tell nothing about the keys."""
        self._refresh()
        return tuple(key.id for key in self._keys)

    def seal(self, plaintext: bytes) -> str:
        """Return ``plaintext`` as a Fernet token under the newest key."""
        self._refresh()
        return self._keys[0].fernet.encrypt(plaintext).decode("ascii")

    def open(self, token: str) -> tuple[bytes, str]:
        """Return what ``token`` holds and the id of the key that opened it.

        Raises:
            UnreadableToken: No key opens it, or it is no Fernet token.
        """
        try:
            return self._open(token)
        except UnreadableToken:
            if not self._refresh():
                raise
            return self._open(token)

    def _open(self, token: str) -> tuple[bytes, str]:
        for key in self._keys:
            try:
                return key.fernet.decrypt(token), key.id
            except InvalidToken:
                continue
        raise UnreadableToken

    def _refresh(self) -> bool:
        stamp = _stamp(self._file)
        if stamp in {self._seen, None}:  # unchanged, or gone for the moment: the keys that we hold stay
            return False
        self._seen = stamp
        try:
            self._keys = _parse(self._read())
        except Misconfigured as error:
            log.error("the changed key file is not used, and the keys that were read before are: %s", error)  # noqa: TRY400
            return False
        return True


def new_key() -> Secret[str]:
    """Return a fresh Fernet key."""
    return Secret(Fernet.generate_key().decode("ascii"))


def read_key_file(path: Path) -> list[str]:
    """Return the keys of a file, one a line; blank lines and lines that start with ``#`` do not count.

    Raises:
        Misconfigured: The file cannot be read.
    """
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"the key file {path} cannot be read ({type(error).__name__})") from None
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]


def write_key_file(path: Path, keys: Sequence[str]) -> None:
    """Replace the file by ``keys``, one a line, mode 0600, in one step that survives a crash."""
    replace_private(path, "".join(key + "\n" for key in keys))


def _stamp(file: Path | None) -> tuple[int, int] | None:
    if file is None:
        return None
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino


def _parse(texts: Sequence[str]) -> tuple[_Key, ...]:
    if not texts:
        raise Misconfigured("there is no encryption key")
    return tuple(_Key(text) for text in texts)


def _key_bytes(text: str) -> bytes:
    try:
        raw = base64.b64decode(text.strip().encode("ascii"), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != KEY_BYTES:
        raise Misconfigured("an encryption key is not a Fernet key (44 characters of URL-safe base64)")
    if len(set(raw)) < FEWEST_DISTINCT_BYTES:
        raise Misconfigured("an encryption key was not made at random; make one with 'umbra keys new'")
    return raw
