import httpx
import pytest

from pages.browsing import Browser


@pytest.fixture
def browser(client: httpx.AsyncClient) -> Browser:
    """The browser of whoever a test is about: it has the jar of ``client``, so of ``alice`` and ``enrolled`` too."""
    return Browser(client)
