"""How the site is built (docs/decisions/0023-documentation-site.md): ``make docs``.

Sources are the documents as they lie in the repository, so that their links work there as well. What stands at the
side, and in which order, is said here and in no document.
"""

from typing import Any

import umbra

project = "Umbra"
version = release = umbra.__version__
extensions = ["myst_parser"]

root_doc = "README"
include_patterns = ["*.md", "docs/**.md", "examples/**/README.md"]
exclude_patterns = [".*", "build", "src", "tests", "bench", "data"]
nitpicky = True
myst_heading_anchors = 3  # under the names that GitHub gives them

html_theme = "alabaster"
html_theme_options = {
    "description": "The second factor, done once and done right",
    "fixed_sidebar": True,
    "font_family": "system-ui, sans-serif",
    "head_font_family": "system-ui, sans-serif",
    "code_font_family": "ui-monospace, monospace",
    "page_width": "1080px",
    "show_powered_by": False,
    "sidebar_width": "260px",
}
html_sidebars = {"**": ["about.html", "searchfield.html", "navigation.html"]}
html_copy_source = False
html_extra_path = ["index.html"]

CONTENTS = {
    "In your application": [
        "docs/library",
        "docs/guides/quickstart",
        "docs/guides/adopt",
        "docs/guides/single-page-app",
    ],
    "As a service": ["docs/hosting"],
    "To look up": ["docs/concepts", "docs/reference/*", "docs/threat-model", "docs/performance"],
    "The project": ["CONTRIBUTING", "SECURITY", "CHANGELOG", "docs/decisions/*", "examples/**"],
}


def add_contents(_app: Any, document: str, source: list[str]) -> None:
    """Say at the end of the first page, where a builder looks for it, which pages there are."""
    if document == root_doc:
        for caption, pages in CONTENTS.items():
            source[0] += "\n".join(["", "```{toctree}", ":hidden:", ":glob:", f":caption: {caption}", "", *pages, "```"])
            source[0] += "\n"


def setup(app: Any) -> None:
    """Be called by Sphinx."""
    app.connect("source-read", add_contents)
