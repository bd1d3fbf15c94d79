"""Umbra: the second factor, done once and done right."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from umbra.brand import Brand
    from umbra.core.events import Event, Happened
    from umbra.embedded import Umbra, Verdict

__all__ = ["Brand", "Event", "Happened", "Umbra", "Verdict"]
__version__ = "0.1.0"

_HOMES = {
    "Brand": "brand",
    "Event": "core.events",
    "Happened": "core.events",
    "Umbra": "embedded",
    "Verdict": "embedded",
}


def __getattr__(name: str) -> Any:
    """Load the library when it is asked for: the command line needs none of it."""
    if name in _HOMES:
        from importlib import import_module  # noqa: PLC0415 - see above

        return getattr(import_module(f"umbra.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
