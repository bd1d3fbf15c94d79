"""What an operator, or a host, makes pages look like: a name, one colour, a logo. Pure, but for reading the logo."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from umbra.core.errors import Misconfigured

LARGEST_LOGO_BYTES = 16 * 1024
"""It is on every page, and a page with everything stays under 50 kB."""

LEAST_CONTRAST = 4.5
"""WCAG 2.2, 1.4.3 (AA)."""

LIGHT_PAPER = "#f4f5f7"
DARK_PAPER = "#1b2029"
"""What the stylesheet puts text on: the darkest of its light grounds, and the lightest of its dark ones."""

WHITE = "#ffffff"
BLACK = "#000000"

NO_COLOUR = "must be a colour like #2f55c4"

_HEX = re.compile(r"#[0-9a-fA-F]{3}([0-9a-fA-F]{3})?")
_MIXED_IN_STEPS = 20


@dataclass(frozen=True, slots=True)
class Logo:
    """A picture that is ours to serve, and of what type it is."""

    content: bytes = field(repr=False)
    media_type: str


@dataclass(frozen=True, slots=True)
class Brand:
    """How a host's pages are called, and look: its name, a colour (``#rgb`` or ``#rrggbb``), an SVG or PNG file.

    Raises:
        Misconfigured: The colour is none of that form, or the logo cannot be read, is no picture, or is too large.
    """

    name: str | None = None
    accent: str | None = None
    logo: Path | None = None

    def __post_init__(self) -> None:
        if self.accent is not None and not is_colour(self.accent):
            raise Misconfigured(f"the brand's accent {NO_COLOUR}")
        if self.logo is not None:
            logo_of(self.logo)


def is_colour(text: str) -> bool:
    """Say whether ``text`` is a colour of CSS in hexadecimal digits, without transparency."""
    return _HEX.fullmatch(text) is not None


def logo_of(path: Path) -> Logo:
    """Read a logo.

    Raises:
        Misconfigured: It cannot be read, is neither SVG nor PNG, or is too large.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Misconfigured(f"the brand's logo {path} cannot be read ({type(error).__name__})") from None
    if len(content) > LARGEST_LOGO_BYTES:
        raise Misconfigured(f"the brand's logo may have {LARGEST_LOGO_BYTES // 1024} KiB")
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return Logo(content, "image/png")
    if b"<svg" in content[:1024]:
        return Logo(content, "image/svg+xml")
    raise Misconfigured("the brand's logo must be an SVG or a PNG file")


def stylesheet_of(accent: str) -> str:
    """Return the lines that give the stylesheet another accent; text on it and in it is readable in light and dark.

    Of white and black, one reads at 4.5:1 on every colour there is. As the colour of text, and as the ground of a
    button in the dark, the accent is mixed with black or white until it reads on the paper.
    """
    light, dark = readable(accent, on=LIGHT_PAPER, towards=BLACK), readable(accent, on=DARK_PAPER, towards=WHITE)
    return (
        f":root{{--accent:{accent};--on-accent:{text_on(accent)};--link:{light}}}\n"
        f"@media (prefers-color-scheme:dark){{:root{{--accent:{dark};--on-accent:{text_on(dark)};--link:{dark}}}}}\n"
    )


def text_on(colour: str) -> str:
    """Return white or black, whichever reads better on ``colour``."""
    return max(WHITE, BLACK, key=lambda text: contrast(text, colour))


def readable(colour: str, *, on: str, towards: str) -> str:
    """Return ``colour``, mixed with ``towards`` by as little as makes it readable on a ground."""
    mixes = (_mixed(colour, towards, step / _MIXED_IN_STEPS) for step in range(_MIXED_IN_STEPS + 1))
    return next(mix for mix in mixes if contrast(mix, on) >= LEAST_CONTRAST)


def contrast(one: str, other: str) -> float:
    """Return how well one colour reads on another, from 1 to 21 (WCAG 2.2, "contrast ratio")."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(part / 255) for part in _parts(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4  # noqa: PLR2004 - WCAG's numbers


def _mixed(one: str, other: str, share: float) -> str:
    pairs = zip(_parts(one), _parts(other), strict=True)
    return "#" + "".join(f"{round(part + (towards - part) * share):02x}" for part, towards in pairs)


def _parts(colour: str) -> tuple[int, int, int]:
    digits = colour[1:] if len(colour) > 4 else "".join(digit * 2 for digit in colour[1:])  # noqa: PLR2004 - #rgb
    return int(digits[0:2], 16), int(digits[2:4], 16), int(digits[4:6], 16)
