"""For pytest, which finds it by itself: the fixture ``umbra_kit``, around a fixture ``umbra`` of the application's."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from umbra.embedded import Umbra
    from umbra.testing import Kit


@pytest.fixture
def umbra_kit(umbra: "Umbra[Any]") -> "Iterator[Kit[Any]]":
    """A kit for the application's ``Umbra``, which is as it was when the test is over."""
    from umbra.testing import Kit

    before = umbra.auth
    kit = Kit(umbra)
    yield kit
    umbra.auth.hashing.close()
    umbra.auth = before
