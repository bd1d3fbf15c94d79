"""Session checks while somebody sends wrong passwords without end, and what that somebody is told."""

import asyncio
import http.client
import json
import statistics
import subprocess
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from bench import ratios, serving, wrk
from bench.results import Goal, Part, Plan, Table, figure
from bench.wrk import Load, Round

LEAST_RATIO = 0.8
ATTACKING_CONNECTIONS = 64
AT_ONCE_MS = 100
PROBE_PAUSE_SECONDS = 0.02

WRONG_PASSWORDS = """
local n = 0
request = function()
  n = n + 1
  local body = '{"username": "nobody-%s-' .. n .. '", "password": "a wrong password"}'
  return wrk.format("POST", nil, {["Content-Type"] = "application/json"}, body)
end
"""


@dataclass
class Found:
    """What the rounds gave."""

    alone: list[Round] = field(default_factory=list)
    under_attack: list[Round] = field(default_factory=list)
    attacks: list[Round] = field(default_factory=list)
    busy_ms: list[float] = field(default_factory=list)

    def ratio(self) -> float:
        """Return the rate of session checks under attack, as a part of the rate without."""
        return round(wrk.median(self.under_attack, "rate") / wrk.median(self.alone, "rate"), 3)

    def statuses(self) -> Counter[str]:
        """Return how often the attacker was told what."""
        counted: Counter[str] = Counter()
        for attack in self.attacks:
            counted.update(attack.statuses)
        return counted


def measure(plan: Plan, folder: Path) -> Part:
    """Measure session checks alone and under attack, in alternating rounds."""
    with serving.postgres_server() as address:
        found = asyncio.run(_measured(f"{address}/postgres", folder, plan))
    told = found.statuses()
    busy_p50 = round(statistics.median(found.busy_ms), 1) if found.busy_ms else 0.0
    return Part(
        "saturation",
        "While the hashing pool is full",
        goals=[
            Goal("session checks under attack / alone", found.ratio(), LEAST_RATIO),
            Goal("sign-ins answered 503", told["503"], 1),
            Goal("p50 of a 503, seen by one more client", busy_p50, AT_ONCE_MS, " ms", is_least=False),
        ],
        tables=[
            Table(
                ["session checks", "a second", "p50 ms", "p99 ms"],
                [_row("alone", found.alone), _row("under attack", found.under_attack)],
            )
        ],
        notes=["The attacker was told: " + ", ".join(f"{count:,} times {status}" for status, count in told.items())],
        raw={
            "alone": wrk.as_json(found.alone),
            "under_attack": wrk.as_json(found.under_attack),
            "attacks": wrk.as_json(found.attacks),
        },
    )


async def _measured(url: str, folder: Path, plan: Plan) -> Found:
    found = Found()
    async with ratios.filled(url, folder / "postgres", 1) as of:
        with serving.umbra(of.environment, folder) as served:
            checks = Load(served.call("session"), wrk.SESSIONS % of.sessions, plan.seconds, folder)
            ratios.warm_up(of, served.calls)
            for number in range(plan.rounds):
                found.alone.append(wrk.run(checks))
                _attack(served, checks, number, found)
                serving.await_idle(served)
    return found


def _attack(served: serving.Served, checks: Load, number: int, found: Found) -> None:
    script = WRONG_PASSWORDS % number + wrk.COUNTING
    load = Load(served.call("login"), script, checks.seconds + 2, checks.folder, ATTACKING_CONNECTIONS)
    attack = wrk.start(load)
    try:
        time.sleep(1)  # until the queue is full
        measured = wrk.start(checks)
        try:
            found.busy_ms += _probe(served, measured)
            found.under_attack.append(wrk.seen(measured))
        finally:
            measured.kill()
        found.attacks.append(wrk.seen(attack))
    finally:
        attack.kill()


def _probe(served: serving.Served, while_running: "subprocess.Popen[str]") -> list[float]:
    """Try to sign in now and then, and return how long each 503 took, in milliseconds."""
    connection = http.client.HTTPConnection(urlsplit(served.address).netloc, timeout=30)
    body = json.dumps({"username": "nobody", "password": "a wrong password"})
    took = []
    try:
        while while_running.poll() is None:
            began = time.monotonic()
            connection.request("POST", "/api/auth/login", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            if answer.status == http.HTTPStatus.SERVICE_UNAVAILABLE:
                took.append((time.monotonic() - began) * 1000)
            time.sleep(PROBE_PAUSE_SECONDS)
    finally:
        connection.close()
    return took


def _row(name: str, rounds: list[Round]) -> list[str]:
    return [name, *(figure(wrk.median(rounds, what)) for what in ("rate", "p50", "p99"))]
