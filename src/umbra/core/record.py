"""Plain values that are made very often: at every request, or for every event."""

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(kind: type[T]) -> type[T]:
    """Make a class a frozen dataclass to type checkers.

    At run time nothing guards its fields, since ``frozen=True`` sets each of them by a call of its own: without it, a
    session is made in a third of the time (docs/decisions/0038-small-change.md).
    """
    return dataclass(slots=True, unsafe_hash=True)(kind)
