from collections.abc import Callable, Mapping

import pytest

Counting = Callable[[Mapping[str, int]], None]


@pytest.fixture
def counting(record_property: Callable[[str, object], None]) -> Counting:
    """What writes down how much a test has tried, for the report of ``make proof``."""

    def count(tried: Mapping[str, int]) -> None:
        for what, number in tried.items():
            record_property(what, number)

    return count
