"""What a part of the bench found: tables to read, and goals that were met or missed."""

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Goal:
    """A figure, and the bound that it should keep; ``floor`` is the milder bound of the quick form."""

    what: str
    value: float
    bound: float
    unit: str = ""
    is_least: bool = True
    floor: float | None = None

    def is_met(self, *, is_quick: bool) -> bool | None:
        """Say whether the figure keeps the bound of this form; ``None`` where the quick form does not judge it."""
        bound = self.floor if is_quick else self.bound
        if bound is None:
            return None
        return self.value >= bound if self.is_least else self.value <= bound

    def shown(self) -> str:
        """Return the figure with its unit."""
        return f"{figure(self.value)}{self.unit}"

    def bound_shown(self, *, is_quick: bool) -> str:
        """Return what was wanted, in words."""
        bound = self.floor if is_quick else self.bound
        if bound is None:
            return "only shown"
        return f"{'at least' if self.is_least else 'at most'} {figure(bound)}{self.unit}"


@dataclass(frozen=True)
class Table:
    """Figures side by side."""

    header: list[str]
    rows: list[list[str]]


@dataclass(frozen=True)
class Part:
    """One part of the bench, as it is printed, kept and shown."""

    name: str
    title: str
    goals: list[Goal] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    raw: dict[str, Any] = field(default_factory=dict)
    date: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return it in a form that can be written down."""
        return asdict(self)

    @classmethod
    def of_json(cls, kept: dict[str, Any]) -> "Part":
        """Return what was written down."""
        goals = [Goal(**one) for one in kept["goals"]]
        tables = [Table(**one) for one in kept["tables"]]
        return cls(**(kept | {"goals": goals, "tables": tables}))


@dataclass(frozen=True)
class Plan:
    """How long and how often to measure."""

    rounds: int
    seconds: int
    sizes: tuple[int, ...]
    expired: int
    is_quick: bool


def figure(value: float) -> str:
    """Return a number with as many digits as mean something."""
    if abs(value) >= 100 or value == int(value):  # noqa: PLR2004
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"  # noqa: PLR2004
