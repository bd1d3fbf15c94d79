"""Pages that a reader follows from top to bottom, followed."""

from pathlib import Path

import pytest

from support.blocks import ROOT, blocks
from support.tools import needs
from support.walks import WALKS, Walk, is_walked


@pytest.mark.parametrize("page", WALKS)
def test_what_a_page_asks_for_leads_to_what_it_shows(page: str, tmp_path: Path) -> None:
    needs("oathtool", "oathtool")
    walk = Walk(tmp_path)
    try:
        for block in blocks(ROOT / page):
            if is_walked(block):
                walk.come_to(block)
    finally:
        walk.close()
