"""Verifications while ``umbra cleanup`` deletes a million rows beside them, and what it leaves."""

import asyncio
import contextlib
import dataclasses
import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench import filler, machine, ratios, serving, world, wrk
from bench.results import Goal, Part, Plan, Table, figure
from bench.world import World
from bench.wrk import Load, Round
from support.servers import UMBRA
from umbra import upkeep
from umbra.core.clock import FixedClock

MOST_SLOWDOWN = 2
MOST_LEFT = 100
LATER = timedelta(minutes=5)

_LONG_AGO = "(timezone('utc', now()) - interval '2 days')"
_HASH = filler.HASH_OF.format(kind="expired", number="($3 || ' ' || n)")

SHARES = {"totp_usage": 0.4, "challenges": 0.2, "user_sessions": 0.4}
"""Of the expired rows, by table."""

_DEAD = {
    "totp_usage": '"window" < 1000000',
    "challenges": f"expires_at <= {_LONG_AGO}",
    "user_sessions": f"expires_at <= {_LONG_AGO}",
}

_MAKE = {
    "totp_usage": f"""
INSERT INTO totp_usage (user_id, code, "window", used_at)
SELECT 1 + n % $2::integer, lpad((n / $2::integer)::text, 6, '0'), $3::text::integer, {_LONG_AGO}
FROM generate_series(0, $1::integer - 1) n""",  # noqa: S608
    "challenges": f"""
INSERT INTO challenges (user_id, token_hash, created_at, expires_at, guesses)
SELECT 1 + n % $2::integer, {_HASH}, {_LONG_AGO}, {_LONG_AGO}, 0
FROM generate_series(0, $1::integer - 1) n""",  # noqa: S608
    "user_sessions": f"""
INSERT INTO user_sessions (user_id, token_hash, created_at, last_seen_at, expires_at, authenticated_at)
SELECT 1 + n % $2::integer, {_HASH}, {_LONG_AGO}, {_LONG_AGO}, {_LONG_AGO}, {_LONG_AGO}
FROM generate_series(0, $1::integer - 1) n""",  # noqa: S608
}
"""Of so many rows, for so many accounts, in such a round, by table."""


@dataclass
class Found:
    """What the rounds gave."""

    rounds: dict[str, list[Round]] = field(default_factory=lambda: {"alone": [], "beside": []})
    deleted: int = 0
    seconds: float = 0.0
    verified: int = 0
    left: int = 0
    ended_early: int = 0

    def slowdown(self) -> float:
        """Return how many times longer the slowest hundredth takes beside a clean-up."""
        return round(wrk.median(self.rounds["beside"], "p99") / wrk.median(self.rounds["alone"], "p99"), 2)


def measure(plan: Plan, folder: Path) -> Part:
    """Measure verifications alone and beside a clean-up, in alternating rounds."""
    with serving.postgres_server(core=machine.cores()[1]) as address:
        found = asyncio.run(_measured(f"{address}/postgres", folder, plan))
    header = ["totp-verify", "a second", "p50 ms", "p99 ms"]
    rows = [
        [name, *(figure(wrk.median(found.rounds[key], what)) for what in ("rate", "p50", "p99"))]
        for name, key in (("alone", "alone"), ("beside a clean-up", "beside"))
    ]
    return Part(
        "cleanup",
        "Beside a clean-up",
        goals=[
            Goal("p99 beside a clean-up / alone", found.slowdown(), MOST_SLOWDOWN, is_least=False),
            Goal("used codes left five minutes later", found.left, MOST_LEFT, is_least=False),
        ],
        tables=[Table(header, rows)],
        notes=[note for note in _notes(found) if note],
        raw={
            "rounds": {name: wrk.as_json(rounds) for name, rounds in found.rounds.items()},
            "deleted": found.deleted,
            "seconds": round(found.seconds, 1),
            "ended_early": found.ended_early,
        },
    )


async def _measured(url: str, folder: Path, plan: Plan) -> Found:
    found = Found()
    each = world.ACCOUNTS_PER_SECOND * plan.seconds
    async with world.opened(url, folder / "postgres") as of:
        accounts = each * plan.rounds * len(found.rounds)
        await of.crowd(accounts, range(1, accounts + 1))
        with serving.umbra(of.environment, folder, core=machine.cores()[0]) as served:
            ratios.warm_up(of, served.calls, machine.cores()[1])
            fresh = (range(first, first + each) for first in range(1, accounts, each))
            for number in range(plan.rounds):
                await _expire(of, plan.expired, number)
                for name in sorted(found.rounds, reverse=number % 2 == 1):
                    await of.challenge(next(fresh))
                    found.rounds[name].append(_one_round(of, served, plan, found, is_beside=name == "beside"))
        _clean_all(of, found)
        await _look_later(of, found)
    return found


def _one_round(of: World, served: serving.Served, plan: Plan, found: Found, *, is_beside: bool) -> Round:
    script = wrk.BODIES_ONCE % of.verifications
    load = Load(served.call("totp-verify"), script, plan.seconds, of.folder, core=machine.cores()[1])
    if not is_beside:
        return wrk.run(load)
    with _cleaning(of, found):
        return wrk.run(load)


async def _expire(of: World, rows: int, number: int) -> None:
    """Fill up to so many expired rows, and let the database settle."""
    async with filler.connected(of.environment["UMBRA_DATABASE_URL"]) as connection:
        for table, share in SHARES.items():
            there = await connection.fetchval(f"SELECT count(*) FROM {table} WHERE {_DEAD[table]}")  # noqa: S608
            missing = int(rows * share) - there
            await connection.execute(_MAKE[table], missing, len(of.secrets), str(number))
        await filler.settle(connection, SHARES)


@contextlib.contextmanager
def _cleaning(of: World, found: Found) -> Iterator[None]:
    """Let ``umbra cleanup`` run for as long as the block, and note when it came to its end before."""
    process = subprocess.Popen([*UMBRA, "cleanup"], env=of.environment, stdout=subprocess.DEVNULL)
    try:
        time.sleep(1)  # until it has started
        yield
        found.ended_early += process.poll() is not None
    finally:
        serving.stop(process)


def _clean_all(of: World, found: Found) -> None:
    """Let one clean-up come to its end, with nothing beside it."""
    began = time.monotonic()
    done = subprocess.run([*UMBRA, "cleanup", "--json"], env=of.environment, check=True, stdout=subprocess.PIPE)
    found.seconds = time.monotonic() - began
    found.deleted = sum(_counts(done.stdout).values())


def _counts(said: bytes) -> dict[str, int]:
    counts: dict[str, int] = json.loads(said)
    return counts


async def _look_later(of: World, found: Found) -> None:
    """Let five minutes pass on a clock of our own, and see what a clean-up leaves."""
    found.verified = await _count(of)
    clock = FixedClock(datetime.now(UTC) + LATER)
    await upkeep.clean_up(dataclasses.replace(of.auth, clock=clock))
    found.left = await _count(of)


async def _count(of: World) -> int:
    async with filler.connected(of.environment["UMBRA_DATABASE_URL"]) as connection:
        count: int = await connection.fetchval("SELECT count(*) FROM totp_usage")
        return count


def _notes(found: Found) -> list[Any]:
    return [
        f"A last clean-up, with nothing beside it, deleted {found.deleted:,} rows in {found.seconds:.1f} seconds.",
        f"Of {found.verified:,} used codes, {found.left:,} were left after a clean-up five minutes later.",
        found.ended_early and f"{found.ended_early} clean-ups ended before their round did.",
    ]
