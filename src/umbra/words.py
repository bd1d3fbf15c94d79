"""The languages that pages and mails speak: one catalogue, English as it is written and the others beside it. Pure."""

import gettext
from functools import cache
from importlib import resources

LANGUAGES = ("en", "de")
"""The first one is that of the source, and of whoever reads none of them."""


def marked(text: str) -> str:
    """Return ``text``, which is thereby in the catalogue; it is translated where it is shown."""
    return text


def negotiated(accepted: str) -> str:
    """Return the language of ours that a browser likes best (RFC 9110, 12.5.4)."""
    liked = sorted((_liked(part) for part in accepted.split(",")), reverse=True, key=lambda one: one[0])
    return next((name for quality, name in liked if quality > 0 and name in LANGUAGES), LANGUAGES[0])


@cache
def catalogue(language: str) -> gettext.NullTranslations:
    """Return the texts of one of our languages; ``make words`` compiles them."""
    if language == LANGUAGES[0]:
        return gettext.NullTranslations()
    with (resources.files("umbra") / "locale" / f"{language}.mo").open("rb") as compiled:
        return gettext.GNUTranslations(compiled)


def _liked(part: str) -> tuple[float, str]:
    tag, _, parameter = part.partition(";")
    name = tag.strip().lower().partition("-")[0]
    quality = parameter.strip().removeprefix("q=") if parameter else "1"
    try:
        return float(quality), name
    except ValueError:
        return 0, name
