"""Where a walk has been: the stops that it made, with pictures of them if it keeps any."""

from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Page

from walk import looks
from walk.axe import Reader

LOOKS = [
    (name, size, scheme)
    for name, size in (("wide", looks.WIDE), ("phone", looks.PHONE))
    for scheme in ("light", "dark")
]


@dataclass
class Album:
    """``folder`` is none where another walk comes by the same pages and keeps pictures of them."""

    folder: Path | None
    reader: Reader
    stops: list[str] = field(default_factory=list)
    pictures: int = 0
    heaviest: int = 0
    wrong: list[str] = field(default_factory=list)

    def stop(self, page: Page, name: str) -> None:
        """Weigh a page; where pictures are kept, also examine it in every size, and by axe. What is wrong is kept."""
        self.stops.append(name)
        self.heaviest = max(self.heaviest, looks.weight(page))
        if self.folder is None:
            return
        self.wrong += [f"{name}: {one}" for one in looks.see(page) + self.reader.broken(page)]
        for looked, size, scheme in LOOKS:
            looks.resize(page, size)
            looks.emulate(page, color_scheme=scheme)
            self.picture(page, f"{name}-{looked}-{scheme}")
        looks.resize(page, looks.WIDE)
        looks.emulate(page)

    def picture(self, page: Page, name: str) -> None:
        """Keep how a page looks now, if pictures are kept."""
        if self.folder is not None:
            page.screenshot(path=self.folder / f"{len(self.stops):02}-{name}.png", full_page=True)
            self.pictures += 1
