"""The blocks of code in the documents."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*/README.md")])

_FENCED = re.compile(r"^( *)```(\S*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block: where it stands, in which language, under which heading."""

    path: Path
    line: int
    section: str
    language: str
    text: str

    def __str__(self) -> str:
        """Return its place, as an editor opens it."""
        return f"{self.page}:{self.line}"

    @property
    def page(self) -> str:
        """Return the document's path in the repository."""
        return str(self.path.relative_to(ROOT))


def blocks(path: Path) -> Iterator[Block]:
    """Yield each fenced block of a document."""
    document = path.read_text()
    for found in _FENCED.finditer(document):
        indent, language, text = found.groups()
        before = document[: found.start()]
        headings = re.findall(r"^##+ (.+)$", re.sub(_FENCED, "", before), re.MULTILINE)
        code = "".join(line.removeprefix(indent) for line in text.splitlines(keepends=True))
        yield Block(path, before.count("\n") + 1, headings[-1] if headings else "", language, code)


def every() -> list[Block]:
    """Return all blocks of all documents."""
    return [block for path in DOCUMENTS for block in blocks(path)]
