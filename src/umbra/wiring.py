"""The composition root: makes an Auth out of settings."""

from pathlib import Path

from umbra.audit.store import DatabaseSink
from umbra.auth import Auth
from umbra.core.clock import Clock, SystemClock
from umbra.core.entropy import Entropy, SystemEntropy
from umbra.core.errors import Misconfigured
from umbra.crypto import keyring as keyrings
from umbra.crypto.argon import PROFILES, HashingPool
from umbra.crypto.keyring import Keyring
from umbra.db.opening import open_database
from umbra.settings import Settings
from umbra.signin import notices

KEY_FILE = "encryption-keys"
OUR_FILES = (KEY_FILE, "umbra.db")
OPEN_TO_OTHERS = 0o077


def build(settings: Settings, *, clock: Clock | None = None, entropy: Entropy | None = None) -> Auth:
    """Return everything that the use cases need; no connection is opened yet.

    Raises:
        Misconfigured: A setting is missing or wrong; the text names it.
    """
    prepare_data_dir(settings)
    db = open_database(settings.url_of_database)
    when, randomness = clock or SystemClock(), entropy or SystemEntropy()
    return Auth(
        db=db,
        clock=when,
        entropy=randomness,
        keyring=keyring(settings),
        hashing=HashingPool(PROFILES[settings.argon2_profile]),
        settings=settings,
        sink=notices.sink(db, when, randomness) if settings.sends_mail else DatabaseSink(db, when),
    )


def prepare_data_dir(settings: Settings) -> None:
    """Make the data directory, or narrow it, to mode 0700.

    Raises:
        Misconfigured: It cannot be made.
    """
    folder = settings.data_dir
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_mode & OPEN_TO_OTHERS:
            if any(folder.iterdir()) and not any((folder / name).exists() for name in OUR_FILES):
                raise Misconfigured(f"UMBRA_DATA_DIR: {folder} is in other use; give Umbra a folder of its own")
            folder.chmod(0o700)
    except OSError as error:
        raise Misconfigured(f"UMBRA_DATA_DIR: {folder} cannot be used ({type(error).__name__})") from None


def generates_keys(settings: Settings) -> bool:
    """Say whether the keys are ours to generate, into the data directory."""
    is_given = settings.encryption_keys is not None or settings.encryption_keys_file is not None
    return not is_given and settings.url_of_database.startswith("sqlite:")


def key_file(settings: Settings) -> Path | None:
    """Return the file that holds the keys, or ``None`` when they come from the environment.

    Raises:
        Misconfigured: Both settings are given, or neither where one is required.
    """
    if settings.encryption_keys is not None:
        if settings.encryption_keys_file is not None:
            raise Misconfigured("give UMBRA_ENCRYPTION_KEYS or UMBRA_ENCRYPTION_KEYS_FILE, not both")
        return None
    if settings.encryption_keys_file is not None:
        return settings.encryption_keys_file
    if generates_keys(settings):
        return settings.data_dir / KEY_FILE
    raise Misconfigured(
        "UMBRA_ENCRYPTION_KEYS (or UMBRA_ENCRYPTION_KEYS_FILE) is required with PostgreSQL, since every server "
        "needs the same; make a key with 'umbra keys new'"
    )


def keyring(settings: Settings) -> Keyring:
    """Return the keys that the settings name; a fresh key is generated for a new SQLite installation.

    Raises:
        Misconfigured: There are none, or one of them is no key; the text names the setting.
    """
    file = key_file(settings)
    try:
        if file is None:
            given = settings.encryption_keys.get_secret_value() if settings.encryption_keys else ""
            return Keyring.of(*(part.strip() for part in given.split(",") if part.strip()))
        if generates_keys(settings):
            if not file.exists():
                keyrings.write_key_file(file, [keyrings.new_key().reveal()])
            file.chmod(0o600)
        return Keyring.from_file(file)
    except Misconfigured as error:
        name = "UMBRA_ENCRYPTION_KEYS" if file is None else f"UMBRA_ENCRYPTION_KEYS_FILE ({file})"
        raise Misconfigured(f"{name}: {error}") from None
