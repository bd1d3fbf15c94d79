"""Umbra beside a bare endpoint that runs the same statements, on both databases, in alternating rounds."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import machine, serving, world, wrk
from bench.results import Goal, Part, Plan, Table, figure
from bench.world import World
from bench.wrk import Load, Round
from support.servers import environment_of

CALLS = ("session", "totp-verify")
LEAST_RATIO = 0.75
FLOOR = 0.5
MOST_SPREAD = 4
MOST_RESIDENT_MB = 90

Rounds = dict[str, dict[str, list[Round]]]
"""By call, then by who was measured."""


@dataclass(frozen=True)
class Measured:
    """What one database gave."""

    rounds: Rounds
    resident_mb: float

    def ratio(self, call: str) -> float:
        """Return Umbra's rate as a part of the bare endpoint's."""
        of_call = self.rounds[call]
        return round(wrk.median(of_call["umbra"], "rate") / wrk.median(of_call["bare"], "rate"), 3)

    def spread(self, call: str) -> float:
        """Return how many times the median latency the slowest hundredth takes."""
        ours = self.rounds[call]["umbra"]
        return round(wrk.median(ours, "p99") / wrk.median(ours, "p50"), 2)

    def refused(self) -> int:
        """Return how many answers were no success; a fast refusal is no speed."""
        return sum(one.refused for of_call in self.rounds.values() for many in of_call.values() for one in many)


def measure(plan: Plan, folder: Path) -> Part:
    """Compare on PostgreSQL and on SQLite."""
    with serving.postgres_server(core=machine.cores()[1]) as address:
        found = {"PostgreSQL": asyncio.run(_compared(f"{address}/postgres", folder / "postgres", plan))}
    found["SQLite"] = asyncio.run(_compared(f"sqlite:///{folder}/umbra.db", folder / "sqlite", plan))
    return Part(
        "ratios",
        "Beside a bare endpoint",
        goals=[goal for name, one in found.items() for goal in _goals(name, one)],
        tables=[_table(found)],
        notes=[] if plan.is_quick else [f"wrk against an application that does nothing: {_ceiling(folder)} a second."],
        raw={name: _raw(one) for name, one in found.items()},
    )


async def alternate(
    plan: Plan, folder: Path, of: World, contenders: dict[str, str], *, core: int | None = None
) -> Rounds:
    """Measure both calls of every contender in turn, who comes first changing from round to round."""
    for address in contenders.values():
        warm_up(of, address, core)
    seen: Rounds = {call: {name: [] for name in contenders} for call in CALLS}
    for number in range(plan.rounds):
        for name in sorted(contenders, reverse=number % 2 == 1):
            for call in CALLS:
                seen[call][name].append(await one_round(of, f"{contenders[name]}/{call}", plan.seconds, folder, core))
    return seen


def warm_up(of: World, address: str, core: int | None = None) -> None:
    """Let a server open its connections before anything counts."""
    wrk.run(Load(f"{address}/session", wrk.SESSIONS % of.sessions, 1, of.folder, core=core))


async def one_round(of: World, url: str, seconds: int, folder: Path, core: int | None) -> Round:
    """Measure one call once."""
    if url.endswith("session"):
        await of.seal()
        script = wrk.SESSIONS % of.sessions
    else:
        await of.forget()
        await of.challenge()
        script = wrk.BODIES_ONCE % of.verifications
    return wrk.run(Load(url, script, seconds, folder, core=core))


@contextlib.asynccontextmanager
async def filled(url: str, folder: Path, seconds: int) -> AsyncIterator[World]:
    """Yield a world with as many accounts as a round of so many seconds can need."""
    async with world.opened(url, folder) as of:
        await of.fill(world.ACCOUNTS_PER_SECOND * seconds)
        yield of


@contextlib.contextmanager
def both_served(of: World) -> Iterator[dict[str, serving.Served]]:
    """Run the bare endpoint and Umbra, each alone on the first core while the other waits."""
    core, _ = machine.cores()
    with (
        serving.asgi("bench.bare", of.environment, of.folder, core=core) as bare,
        serving.umbra(of.environment, of.folder, core=core) as umbra,
    ):
        yield {"bare": bare, "umbra": umbra}


def addresses(servers: dict[str, serving.Served]) -> dict[str, str]:
    """Return where each server's calls begin."""
    return {name: served.calls for name, served in servers.items()}


async def _compared(url: str, folder: Path, plan: Plan) -> Measured:
    async with filled(url, folder, plan.seconds) as of:
        with both_served(of) as servers:
            rounds = await alternate(plan, folder, of, addresses(servers), core=machine.cores()[1])
            return Measured(rounds, machine.resident_mb(servers["umbra"].pid))


def _goals(database: str, found: Measured) -> list[Goal]:
    ratios = [Goal(f"{database}, {call}: Umbra / bare", found.ratio(call), LEAST_RATIO, floor=FLOOR) for call in CALLS]
    spreads = [
        Goal(f"{database}, {call}: p99 / p50", found.spread(call), MOST_SPREAD, is_least=False) for call in CALLS
    ]
    memory = Goal(f"{database}: resident memory", found.resident_mb, MOST_RESIDENT_MB, " MB", is_least=False)
    refused = Goal(f"{database}: answers that were no success", found.refused(), 0, is_least=False, floor=0)
    return [*ratios, *spreads, memory, refused]


def _table(found: dict[str, Measured]) -> Table:
    header = ["", "bare/s", "Umbra/s", "ratio", "bare p50 ms", "bare p99 ms", "Umbra p50 ms", "Umbra p99 ms"]
    return Table(header, [_row(name, call, one) for name, one in found.items() for call in CALLS])


def _row(database: str, call: str, found: Measured) -> list[str]:
    bare, ours = found.rounds[call]["bare"], found.rounds[call]["umbra"]
    rates = [figure(wrk.median(bare, "rate")), figure(wrk.median(ours, "rate")), figure(found.ratio(call))]
    latencies = [figure(wrk.median(rounds, what)) for rounds in (bare, ours) for what in ("p50", "p99")]
    return [f"{database}, {call}", *rates, *latencies]


def _raw(found: Measured) -> dict[str, Any]:
    rounds = {
        call: {name: wrk.as_json(rounds) for name, rounds in by_name.items()} for call, by_name in found.rounds.items()
    }
    return {"rounds": rounds, "resident_mb": round(found.resident_mb, 1)}


def _ceiling(folder: Path) -> str:
    core, other = machine.cores()
    tokens = folder / "postgres" / "sessions"
    with serving.asgi("bench.nothing", environment_of({}), folder, core=core) as served:
        seen = wrk.run(Load(served.call("session"), wrk.SESSIONS % tokens, 2, folder, core=other))
    return figure(seen.rate)
