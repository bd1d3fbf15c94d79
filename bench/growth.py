"""The same calls on ten thousand, a million and ten million accounts, each in a database of its own."""

import asyncio
import contextlib
import random
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from bench import filler, machine, ratios, serving, world, wrk
from bench.ratios import CALLS
from bench.results import Goal, Part, Plan, Table, figure
from bench.world import World
from bench.wrk import Load, Round

MOST_SPREAD = 1.25
MOST_SECONDS = 4
BYTES_PER_ACCOUNT = 2_500
"""What an account takes on disk, with room for the indexes while they are made."""

SETTINGS = {
    "shared_buffers": "1GB",
    "max_wal_size": "8GB",
    "wal_level": "minimal",  # the fill then writes its tables once, and not a second time into the log
    "max_wal_senders": "0",
}


@dataclass
class Sized:
    """One size: its database, the accounts that really sign in, and what was seen."""

    accounts: int
    of: World
    known: list[int]
    rounds: dict[str, list[Round]] = field(default_factory=lambda: {call: [] for call in CALLS})

    def some(self, number: int, seconds: int) -> list[int]:
        """Return the accounts of one round; where there are enough, each round has its own."""
        count = min(len(self.known), world.ACCOUNTS_PER_SECOND * seconds)
        first = number * count % len(self.known)
        return (self.known[first:] + self.known)[:count]


def measure(plan: Plan, folder: Path) -> Part:
    """Fill a database for each size, and measure both calls on all of them in turn."""
    needed = sum(plan.sizes) * BYTES_PER_ACCOUNT
    if shutil.disk_usage(tempfile.gettempdir()).free < needed:
        raise RuntimeError(f"growth needs {needed / 2**30:.0f} GiB of disk; --sizes takes smaller ones")
    with serving.postgres_server(core=None, **SETTINGS) as address:
        found = asyncio.run(_measured(address, serving.postmaster(address), folder, plan))
    return Part(
        "growth",
        "As accounts grow",
        goals=[Goal(f"{call}: fastest size / slowest", _spread(found, call), MOST_SPREAD, is_least=False)
               for call in CALLS],
        tables=[Table(["accounts", *(f"{call} {what}" for call in CALLS for what in ("a second", "p50 ms", "p99 ms"))],
                      [_row(one) for one in found])],
        raw={str(one.accounts): {call: wrk.as_json(rounds) for call, rounds in one.rounds.items()} for one in found},
    )  # fmt: skip


async def _measured(address: str, postmaster: int, folder: Path, plan: Plan) -> list[Sized]:
    core, other = machine.cores()
    async with contextlib.AsyncExitStack() as stack:
        found = [await _filled(stack, address, folder, plan, accounts) for accounts in plan.sizes]
        machine.pin(postmaster, other)  # all cores help to fill; from here on it has one
        servers = [stack.enter_context(serving.umbra(one.of.environment, one.of.folder, core=core)) for one in found]
        pairs = list(zip(found, servers, strict=True))
        for one, served in pairs:
            ratios.warm_up(one.of, served.calls, other)
        for number in range(plan.rounds):
            for one, served in pairs[number % len(pairs) :] + pairs[: number % len(pairs)]:
                await _one_round(one, served, number, plan)
    return found


async def _filled(stack: contextlib.AsyncExitStack, address: str, folder: Path, plan: Plan, accounts: int) -> Sized:
    name = f"accounts_{accounts}"
    async with filler.connected(f"{address}/postgres") as connection:
        await connection.execute(f"CREATE DATABASE {name}")
    of = await stack.enter_async_context(world.opened(f"{address}/{name}", folder / name))
    wanted = world.ACCOUNTS_PER_SECOND * _seconds(plan) * plan.rounds
    known = random.SystemRandom().sample(range(1, accounts + 1), min(accounts, wanted))
    await of.crowd(accounts, known)
    return Sized(accounts, of, known)


async def _one_round(one: Sized, served: serving.Served, number: int, plan: Plan) -> None:
    folder, seconds = one.of.folder, _seconds(plan)
    other = machine.cores()[1]
    checks = Load(served.call("session"), wrk.SESSIONS % one.of.sessions, seconds, folder, core=other)
    one.rounds["session"].append(wrk.run(checks))
    await one.of.forget()
    await one.of.challenge(one.some(number, seconds))
    script = wrk.BODIES_ONCE % one.of.verifications
    one.rounds["totp-verify"].append(wrk.run(Load(served.call("totp-verify"), script, seconds, folder, core=other)))


def _seconds(plan: Plan) -> int:
    return min(plan.seconds, MOST_SECONDS)


def _spread(found: list[Sized], call: str) -> float:
    rates = [wrk.median(one.rounds[call], "rate") for one in found]
    return round(max(rates) / min(rates), 3)


def _row(one: Sized) -> list[str]:
    figures = [figure(wrk.median(one.rounds[call], what)) for call in CALLS for what in ("rate", "p50", "p99")]
    return [f"{one.accounts:,}", *figures]
