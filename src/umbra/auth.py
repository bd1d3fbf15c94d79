from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from umbra.core.clock import Clock
from umbra.core.entropy import Entropy
from umbra.core.events import Sink
from umbra.core.ids import UserId
from umbra.core.secret import Secret
from umbra.crypto.argon import HashingPool
from umbra.crypto.keyring import Keyring
from umbra.db.database import Database
from umbra.settings import Settings

PasswordCheck = Callable[[UserId, Secret[str]], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Auth:
    """Everything that can differ between two runs; every use case takes one."""

    db: Database
    clock: Clock
    entropy: Entropy
    keyring: Keyring
    hashing: HashingPool
    settings: Settings
    sink: Sink
    check_password: PasswordCheck | None = None
    """How a host looks at passwords; ``None`` where they are hashes that we look at."""
    renews_tokens: bool = True
    """Whether a session gets a new token with a fresh proof; what a host names its sessions by is the host's."""
