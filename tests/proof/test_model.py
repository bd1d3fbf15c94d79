"""Any history goes as the model says, on both databases; a service with a known fault is told from ours."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from proof import histories
from proof.histories import Action
from proof.world import world


def test_any_history_goes_as_the_model_says(database_url: str, tmp_path: Path) -> None:
    with asyncio.Runner() as runner:
        opened = world(database_url, tmp_path)
        there = runner.run(opened.__aenter__())

        @settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
        @given(histories.histories)
        def holds(history: list[Action]) -> None:
            runner.run(there.play(history))

        holds()
        print(there.requests)
        runner.run(opened.__aexit__(None, None, None))
