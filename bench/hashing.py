"""Sign-ins by password, and guesses at backup codes, beside the rate at which the cores can hash at all."""

import asyncio
import json
import os
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import ratios, serving, world, wrk
from bench.results import Goal, Part, Plan, Table, figure
from bench.world import World
from bench.wrk import Load, Round
from umbra.crypto.argon import PROFILES, HashingPool

LEAST_FRACTION = 0.9
PEOPLE = 400
"""Enough that nobody's second sign-in comes while the first one is being looked at."""

GUESSES_PER_SECOND_AND_CORE = 150
"""More than a core can hash; each account is guessed at once, since wrong guesses in a row have to wait."""

ALONE, SIGN_IN, GUESS = "hashing alone", "sign-in by password", "wrong backup code"


@dataclass
class Found:
    """What the rounds gave."""

    rates: dict[str, list[float]] = field(default_factory=lambda: {ALONE: [], SIGN_IN: [], GUESS: []})
    others: int = 0

    def fraction(self, name: str) -> float:
        """Return the median, over the rounds, of what there was beside the hashing alone of the same round."""
        pairs = zip(self.rates[name], self.rates[ALONE], strict=True)
        return round(statistics.median(rate / alone for rate, alone in pairs), 3)

    def add(self, name: str, seen: Round, status: str) -> None:
        """Keep the rate of answers that cost a hash, and count those of another kind."""
        self.rates[name].append(wrk.share(seen, status))
        self.others += sum(seen.statuses.values()) - seen.statuses.get(status, 0)


def measure(plan: Plan, folder: Path) -> Part:
    """Measure in turn: sign-ins by password between two halves of the hashing alone, and wrong backup codes."""
    with serving.postgres_server() as address:
        found = asyncio.run(_measured(f"{address}/postgres", folder, plan))
    medians = {name: statistics.median(rates) for name, rates in found.rates.items()}
    fraction = {name: found.fraction(name) for name in found.rates}
    return Part(
        "hashing",
        "Beside Argon2id alone",
        goals=[
            Goal(f"{SIGN_IN} / {ALONE}", fraction[SIGN_IN], LEAST_FRACTION),
            Goal("answers of another kind", found.others, 0, is_least=False),
        ],
        tables=[
            Table(
                ["", "a second", "of hashing alone"],
                [[name, figure(rate), figure(fraction[name])] for name, rate in medians.items()],
            )
        ],
        raw={"rates": found.rates, "threads": os.cpu_count()},
    )


async def _measured(url: str, folder: Path, plan: Plan) -> Found:
    seconds = 4 * plan.seconds  # a load begins and ends with hashes that nobody counts
    found = Found()
    async with world.opened(url, folder / "postgres") as of:
        await of.fill((os.cpu_count() or 1) * GUESSES_PER_SECOND_AND_CORE * seconds)
        script = wrk.BODIES_AGAIN % await people(of) + wrk.COUNTING
        with serving.umbra(of.environment, folder) as served:
            sign_in = Load(served.call("login"), script, seconds, folder)
            script = wrk.BODIES_ONCE % of.verifications + wrk.COUNTING
            guess = Load(served.call("totp-verify"), script, seconds, folder)
            ratios.warm_up(of, served.calls)
            for _ in range(plan.rounds):
                before = alone(seconds / 2)
                found.add(SIGN_IN, wrk.run(sign_in), "200")
                serving.await_idle(served)
                found.rates[ALONE].append((before + alone(seconds / 2)) / 2)
                await of.forget()
                await of.challenge(by_backup_code=True)
                found.add(GUESS, wrk.run(guess), "400")
                serving.await_idle(served)
    return found


def alone(seconds: float) -> float:
    """Return how many passwords a second Umbra's own threads can look at with nothing around them."""
    pool = HashingPool(PROFILES["owasp"])
    hashed = pool.hasher.hash(world.PASSWORD)
    began = time.monotonic()

    def work() -> int:
        count = 0
        while time.monotonic() - began < seconds:
            pool.hasher.verify(hashed, world.PASSWORD)
            count += 1
        return count

    try:
        total = sum(one.result() for one in [pool.threads.submit(work) for _ in range(os.cpu_count() or 1)])
        return total / (time.monotonic() - began)
    finally:
        pool.close()


async def people(of: World) -> Path:
    names = await of.add_with_passwords_only(PEOPLE)
    file = of.folder / "people"
    bodies: list[dict[str, Any]] = [{"username": n, "password": world.PASSWORD, "delivery": "token"} for n in names]
    file.write_text("".join(json.dumps(body) + "\n" for body in bodies))
    return file
