"""Saying what was found: on the terminal, and in docs/performance.*."""

import json
from pathlib import Path

from bench import chart
from bench.ratios import LEAST_RATIO
from bench.results import Part, Table

DOCS = Path(__file__).parent.parent / "docs"
RATIOS = "ratios"
BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"


def show(part: Part, *, is_quick: bool) -> None:
    """Print a part: its tables, its goals, what is to be said about it."""
    print(f"\n{part.title}\n{'-' * len(part.title)}")
    for table in part.tables:
        print(_aligned(table))
    if part.goals:
        print(_aligned(_goals_of([part], is_quick=is_quick)))
    for note in part.notes:
        print(note, flush=True)


def missed(parts: list[Part], *, is_quick: bool) -> list[str]:
    """Return the goals that were missed, in words."""
    return [
        f"{part.name}: {goal.what} is {goal.shown()}, and should be {goal.bound_shown(is_quick=is_quick)}"
        for part in parts
        for goal in part.goals
        if goal.is_met(is_quick=is_quick) is False
    ]


def write(parts: list[Part], machine: dict[str, str], order: list[str]) -> None:
    """Put the parts in the place of their former selves in docs/, and leave the other parts as they are."""
    file = DOCS / "performance.json"
    kept = json.loads(file.read_text())["parts"] if file.exists() else {}
    found = {one["name"]: Part.of_json(one) for one in kept.values()} | {part.name: part for part in parts}
    everything = [found[name] for name in order if name in found]
    written = {"machine": machine, "parts": {part.name: part.as_json() for part in everything}}
    file.write_text(json.dumps(written, indent=1) + "\n")
    if RATIOS in found:
        (DOCS / "performance.svg").write_text(chart.drawn(found[RATIOS], LEAST_RATIO))
    page = DOCS / "performance.md"
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n\n{_generated(everything, machine)}\n{END}{after}")


def _generated(parts: list[Part], machine: dict[str, str]) -> str:
    facts = ", ".join(f"{name} {value}" for name, value in machine.items() if name not in {"date", "processor"})
    sections = "\n".join(_section(part) for part in parts)
    drawing = "![Umbra's answers a second beside a bare endpoint's](performance.svg)\n\n"
    return (
        f"Measured on {machine['date']} on {machine['processor']}: {facts}.\n\n"
        f"{drawing if any(part.name == RATIOS for part in parts) else ''}"
        f"### Goals\n\n{_markdown(_goals_of(parts, is_quick=False))}\n{sections}"
    )


def _section(part: Part) -> str:
    texts = [*(_markdown(table) for table in part.tables), *(f"{note}\n" for note in part.notes)]
    return f"### {part.title}\n\n" + "\n".join(texts)


def _goals_of(parts: list[Part], *, is_quick: bool) -> Table:
    rows = [
        [goal.what, goal.shown(), goal.bound_shown(is_quick=is_quick), _verdict(goal.is_met(is_quick=is_quick))]
        for part in parts
        for goal in part.goals
    ]
    return Table(["goal", "measured", "wanted", ""], rows)


def _verdict(is_met: bool | None) -> str:  # noqa: FBT001 - it is what is told
    return "" if is_met is None else "met" if is_met else "missed"


def _markdown(table: Table) -> str:
    lines = [table.header, ["---", *("---:" for _ in table.header[1:])], *table.rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _aligned(table: Table) -> str:
    lines = [table.header, *table.rows]
    widths = [max(len(line[place]) for line in lines) for place in range(len(table.header))]
    return "\n".join(
        f"{line[0]:{widths[0]}}"
        + "".join(f"  {text:>{width}}" for text, width in zip(line[1:], widths[1:], strict=True))
        for line in lines
    )
