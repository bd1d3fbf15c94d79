"""Umbra: the second factor, done once and done right."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from umbra.brand import Brand
    from umbra.embedded import Umbra

__all__ = ["Brand", "Umbra"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Load the library when it is asked for: the command line needs none of it."""
    if name == "Umbra":
        from umbra.embedded import Umbra  # noqa: PLC0415 - see above

        return Umbra
    if name == "Brand":
        from umbra.brand import Brand  # noqa: PLC0415 - see above

        return Brand
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
