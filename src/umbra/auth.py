from dataclasses import dataclass

from umbra.core.clock import Clock
from umbra.core.entropy import Entropy
from umbra.core.events import Sink
from umbra.crypto.argon import HashingPool
from umbra.crypto.keyring import Keyring
from umbra.db.database import Database
from umbra.settings import Settings


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
