"""Two processes beside one, on the same PostgreSQL, with nothing kept on any core."""

import asyncio
from pathlib import Path

from bench import ratios, serving, wrk
from bench.ratios import Rounds
from bench.results import Goal, Part, Plan, Table, figure

NEVER_SLOWER = 1.0


def measure(plan: Plan, folder: Path) -> Part:
    """Measure both calls with one process and with two, in alternating rounds."""
    with serving.postgres_server() as address:
        rounds = asyncio.run(_measured(f"{address}/postgres", folder, plan))
    ratio = {
        call: round(wrk.median(by["two"], "rate") / wrk.median(by["one"], "rate"), 3) for call, by in rounds.items()
    }
    rows = [
        [call, *(figure(wrk.median(by[name], "rate")) for name in ("one", "two")), figure(ratio[call])]
        for call, by in rounds.items()
    ]
    return Part(
        "workers",
        "Two processes beside one",
        goals=[Goal(f"{call}: two processes / one", value, NEVER_SLOWER) for call, value in ratio.items()],
        tables=[Table(["", "one process/s", "two processes/s", "ratio"], rows)],
        raw={call: {name: wrk.as_json(many) for name, many in by.items()} for call, by in rounds.items()},
    )


async def _measured(url: str, folder: Path, plan: Plan) -> Rounds:
    async with ratios.filled(url, folder / "postgres", plan.seconds) as of:
        with (
            serving.umbra(of.environment, folder) as one,
            serving.umbra(of.environment, folder, workers=2) as two,
        ):
            return await ratios.alternate(plan, folder, of, ratios.addresses({"one": one, "two": two}))
