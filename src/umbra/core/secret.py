import hmac
from typing import Generic, TypeVar

Hidden = TypeVar("Hidden", str, bytes)


class Secret(Generic[Hidden]):
    """A value that does not print, whatever formats it; ``reveal`` is easy to search for."""

    __slots__ = ("_value",)

    def __init__(self, value: Hidden) -> None:
        self._value: Hidden = value

    def reveal(self) -> Hidden:
        """Return the value itself; keep it out of messages."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(_octets(self._value), _octets(other._value))

    def __hash__(self) -> int:
        raise TypeError("a secret does not go into a set or a key")


def _octets(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")
