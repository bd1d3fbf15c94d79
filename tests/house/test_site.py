"""The site that is made of the documents."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.blocks import DOCUMENTS, ROOT

pytestmark = pytest.mark.checks


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as ``make docs`` builds it."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet",
         "-c", "docs/site", "-d", folder / "doctrees", ".", folder / "html"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert 0 == done.returncode, done.stderr
    return folder / "html"


def test_the_site_is_built_without_a_warning_and_asks_nothing_of_others(site: Path) -> None:
    loads = re.compile(
        r"""<(?:script|link|img|iframe)\b[^>]*?\b(?:src|href)="(?:https?:)?//|@import|url\(["']?(?:https?:)?//"""
    )
    assert [] == [path.name for path in site.rglob("*.*") if loads.search(path.read_text(errors="ignore"))]


def test_every_document_is_a_page_and_the_address_without_a_page_leads_to_the_first(site: Path) -> None:
    pages = {path.relative_to(site).with_suffix(".md") for path in site.rglob("*.html")}
    assert {path.relative_to(ROOT) for path in DOCUMENTS} <= pages
    assert "README.html" in (site / "index.html").read_text()
