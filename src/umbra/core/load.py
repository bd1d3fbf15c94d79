from typing import NamedTuple


class Load(NamedTuple):
    """How much of something limited is in use, and how many wait for it."""

    working: int
    waiting: int
