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
    "page_width": "1200px",
    "body_max_width": "none",
    "show_powered_by": False,
    "sidebar_width": "260px",
}
html_sidebars = {"**": ["about.html", "searchfield.html", "navigation.html"]}
html_copy_source = False
html_static_path = ["static"]
html_extra_path = ["index.html"]

CONTENTS = {
    "In your application": [
        "docs/guides/quickstart",
        "docs/library",
        "docs/guides/adopt",
        "docs/guides/own-tokens",
        "docs/guides/single-page-app",
        "docs/guides/server-pages",
        "docs/guides/mandatory",
        "docs/guides/lost-phone",
        "docs/guides/rotate-keys",
        "docs/guides/testing",
        "docs/moving",
        "examples/*/README",
    ],
    "As a service": [
        "docs/hosting",
        "docs/guides/proxy",
        "docs/guides/monitoring",
        "docs/guides/restore",
        "docs/performance",
    ],
    "To look up": ["docs/concepts", "docs/reference/README", "docs/pages", "docs/threat-model"],
    "The project": ["docs/decisions/README", "CONTRIBUTING", "SECURITY", "CHANGELOG"],
}
BELOW = {"docs/reference/README": "*", "docs/decisions/README": "[0-9]*"}
"""Pages of pages."""


def add_contents(_app: Any, document: str, source: list[str]) -> None:
    """Say at the end of a page which ones are below it, where a builder looks for that."""
    if document == root_doc:
        for caption, pages in CONTENTS.items():
            source[0] += contents(pages, ":hidden:", f":caption: {caption}")
    if document in BELOW:
        source[0] += contents([BELOW[document]], ":maxdepth: 1")


def contents(pages: list[str], *options: str) -> str:
    """Return the directive that names ``pages``."""
    return "\n".join(["", "```{toctree}", ":glob:", *options, "", *pages, "```", ""])


def setup(app: Any) -> None:
    """Be called by Sphinx."""
    app.connect("source-read", add_contents)
