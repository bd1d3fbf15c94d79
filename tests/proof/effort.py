"""How much is tried: beside the other tests a little, the same each time; by ``make proof`` more, and other things."""

import os

from hypothesis import HealthCheck, settings

TIMES = int(os.environ.get("UMBRA_PROOF_TIMES", "1"))
"""How many times as much as within ``make test``."""


def trying(examples: int) -> settings:
    """Return Hypothesis's settings for so many examples, times the effort."""
    return settings(
        max_examples=examples * TIMES,
        deadline=None,
        derandomize=TIMES == 1,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
