"""A small chart, written by hand: rates as bars, the bare endpoint's being the whole width."""

from html import escape

from bench.results import Part

WIDTH = 720
LABEL_WIDTH = 190
BAR_HEIGHT = 16
GROUP_GAP = 20
TOP = 58
BARS_WIDTH = 330

RATIO = 3
"""Where a row of the table holds it, after the name and the two rates."""

SUBTITLE = "Each pair to its own scale, the bare endpoint being 1; the dashed line is the goal,"

STYLE = """
  .page { fill: #ffffff }
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .title { font-size: 16px; font-weight: 600 }
  .quiet { fill: #59636e }
  .bare { fill: #8c959f }
  .umbra { fill: #0969da }
  .goal { stroke: #bc4c00; stroke-width: 1.5; stroke-dasharray: 4 3 }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117 }
    text { fill: #e6edf3 }
    .quiet { fill: #9198a1 }
    .bare { fill: #6e7681 }
    .umbra { fill: #4493f8 }
    .goal { stroke: #f0883e }
  }
"""


def drawn(part: Part, goal: float) -> str:
    """Return the chart of the comparison with the bare endpoint, as SVG."""
    rows = part.tables[0].rows
    scale = BARS_WIDTH / max(1.0, *(float(row[RATIO]) for row in rows))
    height = TOP + len(rows) * (2 * BAR_HEIGHT + GROUP_GAP) + 6
    at = LABEL_WIDTH + goal * scale
    groups = "".join(_group(number, row, scale, at) for number, row in enumerate(rows))
    summary = "; ".join(f"{row[0]}: {row[RATIO]}" for row in rows)
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="t d">
<title id="t">Umbra's answers a second beside a bare endpoint's</title>
<desc id="d">{escape(summary)}</desc>
<style>{STYLE}</style>
<rect class="page" width="{WIDTH}" height="{height}"/>
<text class="title" x="8" y="22">Answers a second: Umbra beside a bare endpoint with the same statements</text>
<text class="quiet" x="8" y="42">{SUBTITLE} {goal}</text>
{groups}<line class="goal" x1="{at:.1f}" x2="{at:.1f}" y1="{TOP - 6}" y2="{height - 18}"/>
</svg>
"""


def _group(number: int, row: list[str], scale: float, goal_at: float) -> str:
    name, bare, ours, ratio = row[: RATIO + 1]
    top = TOP + number * (2 * BAR_HEIGHT + GROUP_GAP)
    label = f'<text x="8" y="{top + BAR_HEIGHT + 5}">{escape(name)}</text>\n'
    umbra = _bar("umbra", top + BAR_HEIGHT, float(ratio) * scale, f"Umbra {ours} ({ratio})", goal_at)
    return label + _bar("bare", top, scale, f"bare {bare}", goal_at) + umbra


def _bar(kind: str, top: int, width: float, text: str, goal_at: float) -> str:
    after = max(LABEL_WIDTH + width, goal_at) + 8
    return (
        f'<rect class="{kind}" x="{LABEL_WIDTH}" y="{top}" width="{width:.1f}" height="{BAR_HEIGHT - 2}" rx="2"/>\n'
        f'<text x="{after:.1f}" y="{top + 12}">{escape(text)}</text>\n'
    )
