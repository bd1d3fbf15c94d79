import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from umbra import brand, settings
from umbra.brand import Brand
from umbra.core.errors import Misconfigured

colours = st.from_regex(r"#([0-9a-f]{3}|[0-9A-F]{6})", fullmatch=True)


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [("#000000", "#ffffff", 21.0), ("#fff", "#ffffff", 1.0), ("#777777", "#ffffff", 4.48), ("#767676", "#fff", 4.54)],
)
def test_contrast_is_as_wcag_has_it(one: str, other: str, ratio: float) -> None:
    assert ratio == round(brand.contrast(one, other), 2) == round(brand.contrast(other, one), 2)


@given(colours)
def test_white_or_black_reads_on_every_accent(accent: str) -> None:
    assert brand.LEAST_CONTRAST <= brand.contrast(brand.text_on(accent), accent)


@given(colours)
def test_an_accent_reads_as_text_on_every_ground(accent: str) -> None:
    for ground, towards in ((brand.LIGHT_PAPER, brand.BLACK), (brand.DARK_PAPER, brand.WHITE)):
        assert brand.LEAST_CONTRAST <= brand.contrast(brand.readable(accent, on=ground, towards=towards), ground)


def test_an_accent_that_reads_already_stays_as_it_is() -> None:
    assert "#2f55c4" == brand.readable("#2f55c4", on=brand.LIGHT_PAPER, towards=brand.BLACK)
    assert ":root{--accent:#ffdd00;--on-accent:#000000;--link:#" in brand.stylesheet_of("#ffdd00")


def test_the_stylesheets_own_colours_read_too() -> None:
    style = (Path(brand.__file__).parent / "pages" / "static" / "umbra.css").read_text()
    for scheme in style.split("* {")[0].split("@media"):
        named = dict(re.findall(r"--([\w-]+): (#\w+);", scheme))
        for ground in ("paper", "card"):
            for text in ("ink", "quiet", "link", "bad"):
                assert brand.LEAST_CONTRAST <= brand.contrast(named[text], named[ground]), (text, ground)
            assert 3 <= brand.contrast(named["edge"], named[ground]), "what a field is seen by (WCAG 1.4.11)"
        for tone in ("good", "bad", "care"):
            assert brand.LEAST_CONTRAST <= brand.contrast(named[tone], named[f"{tone}-paper"]), tone
        assert brand.LEAST_CONTRAST <= brand.contrast(named["on-accent"], named["accent"])
    assert brand.LIGHT_PAPER in style
    assert brand.DARK_PAPER in style


@pytest.mark.parametrize("accent", ["red", "#12", "#12345", "2f55c4", "#2f55c4ff", "#2f55c4;}", "", "#ggg"])
def test_what_is_no_colour_is_refused(accent: str) -> None:
    with pytest.raises(Misconfigured, match="must be a colour like"):
        Brand(accent=accent)


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"\x89PNG\r\n\x1a\n" + b"x" * 16 * 1024, "16 KiB"), (b"GIF89a", "SVG or a PNG"), (None, "FileNotFoundError")],
)
def test_a_logo_that_cannot_be_shown_is_refused(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "logo"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Misconfigured, match=said):
        Brand(logo=path)


@pytest.mark.parametrize(
    ("content", "media_type"),
    [(b"\x89PNG\r\n\x1a\nrest", "image/png"), (b'<?xml version="1.0"?><svg/>', "image/svg+xml")],
)
def test_a_logo_is_what_it_begins_like(tmp_path: Path, content: bytes, media_type: str) -> None:
    path = tmp_path / "logo.gif"
    path.write_bytes(content)
    assert brand.Logo(content, media_type) == brand.logo_of(path)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("brand_accent", "red", "UMBRA_BRAND_ACCENT: must be a colour like #2f55c4"),
        ("brand_logo", "/nowhere.svg", "UMBRA_BRAND_LOGO: the brand's logo /nowhere.svg cannot be read"),
        ("brand_name", "x" * 65, "UMBRA_BRAND_NAME: must be 1 to 64 printable characters"),
        ("brand_name", "a\nb", "UMBRA_BRAND_NAME: must be 1 to 64 printable characters"),
        ("brand_name", " ", "UMBRA_BRAND_NAME: must be 1 to 64 printable characters"),
    ],
)
def test_a_brand_that_is_none_is_named_at_start(name: str, value: str, said: str) -> None:
    with pytest.raises(Misconfigured, match=said):
        settings.checked({name: value})


def test_the_servers_brand_is_that_of_its_settings() -> None:
    chosen = settings.checked({"brand_name": " Acme ", "brand_accent": "#7a1"})
    assert Brand("Acme", "#7a1") == chosen.brand
