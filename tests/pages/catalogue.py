"""The catalogues of what pages and mails say, brought up to date and compiled.

    make words

collects the texts of the source, merges them into each ``src/umbra/locale/*.po`` and compiles that into the
``.mo`` beside it, which is what runs, so that an installation needs no Babel. What is missing or in doubt is printed.
"""

import io
import sys
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).parents[2]
LOCALE = ROOT / "src" / "umbra" / "locale"
HEAD = """\
# The texts of Umbra's pages and mails. The msgid is the English text; give each its msgstr, then run "make words".
msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\\n"
"Language: {language}\\n"
"Plural-Forms: {plural_forms}\\n"

"""
NO_DATE = datetime(2000, 1, 1, tzinfo=UTC)
"""Babel writes one into what it compiles: of now, unless it is told, and the file would be another each minute."""

KEYWORDS = {"marked": None, "gettext": None, "ngettext": (1, 2), "_": None}


def source() -> Catalog:
    """Return the texts of the source, in its own order."""
    mappings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["babel"]["mappings"]
    methods = [(one["pattern"], one["method"]) for one in mappings]
    options = {one["pattern"]: {name: str(value).lower() for name, value in one.items()} for one in mappings}
    catalogue = Catalog(charset="utf-8")
    found = sorted(extract_from_dir(ROOT, methods, options, KEYWORDS), key=lambda one: one[:2])
    for file, _, text, _, context in found:
        catalogue.add(text, locations=[(file, None)], context=context)  # type: ignore[list-item]  # no lines: they move
    return catalogue


def kept(path: Path) -> Catalog:
    """Return a catalogue as it is."""
    with path.open("rb") as file:
        return read_po(file, locale=path.stem, charset="utf-8")


def merged(path: Path) -> Catalog:
    """Return a catalogue with the texts of the source, and no others."""
    catalogue = kept(path)
    catalogue.update(source(), no_fuzzy_matching=True, update_creation_date=False)
    catalogue.obsolete.clear()
    return catalogue


def texts(catalogue: Catalog) -> Iterator[Message]:
    """Yield the texts, without the head of the catalogue."""
    return (message for message in catalogue if message.id)


def written(catalogue: Catalog) -> bytes:
    """Return a catalogue as it stands in its file, which is the same whenever it is written."""
    head = HEAD.format(language=catalogue.locale_identifier, plural_forms=catalogue.plural_forms)
    body = io.BytesIO()
    write_po(body, catalogue, width=110, omit_header=True, include_lineno=False)
    return head.encode() + body.getvalue()


def compiled(catalogue: Catalog) -> bytes:
    """Return a catalogue as gettext reads it, which is the same whenever it is compiled."""
    catalogue.creation_date = catalogue.revision_date = NO_DATE
    file = io.BytesIO()
    write_mo(file, catalogue)
    return file.getvalue()


def is_done(message: Message) -> bool:
    """Say whether a text is translated, in every plural."""
    strings = message.string if isinstance(message.string, list | tuple) else [message.string]
    return bool(strings) and all(strings) and not message.fuzzy


def main() -> None:
    """Bring every catalogue up to date."""
    for path in sorted(LOCALE.glob("*.po")):
        catalogue = merged(path)
        path.write_bytes(written(catalogue))
        path.with_suffix(".mo").write_bytes(compiled(kept(path)))
        missing = [message.id for message in texts(catalogue) if not is_done(message)]
        sys.stdout.write(f"{path.name}: {len(list(texts(catalogue)))} texts, {len(missing)} missing\n")
        sys.stdout.writelines(f"  {text}\n" for text in missing)


if __name__ == "__main__":
    main()
