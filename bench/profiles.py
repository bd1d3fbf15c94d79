"""Where the event loop's time goes in each hot path: py-spy beside the load, summed up by whose code it is."""

import asyncio
import subprocess
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bench import hashing, ratios, serving, wrk
from bench.results import Part, Plan, Table
from bench.serving import Served
from bench.world import World
from bench.wrk import Load

SAMPLES_PER_SECOND = 500
SECONDS_AROUND = 2
"""The load begins before the profile and ends after it."""

MAIN_THREAD = "<module>"

OWNERS = {
    "umbra/db/sqlite": "the database's driver",
    "asyncpg/": "the database's driver",
    "umbra/db/": "our layer above the driver",
    "sqlalchemy/": "our layer above the driver",
    "umbra/crypto/": "cryptography",
    "cryptography/": "cryptography",
    "umbra/api/": "our faces",
    "umbra/web/": "our faces",
    "umbra/app.py": "our faces",
    "starlette/": "our faces",
    "fastapi/": "our faces",
    "json/": "JSON",
    "pydantic": "JSON",
    "umbra/cli/": "the event loop",
    "umbra/": "our use cases and stores",
    "uvicorn/": "the HTTP server",
    "asyncio/runners.py": "the event loop",
}
"""Whose a frame is, by the beginning of its file; the first that fits. Python's own library belongs to its caller."""

STEP_UPS = """
local tokens, bodies, n = {}, {}, 0
for line in io.lines("%s") do
  local token, body = line:match("^(%%S+) (.*)$")
  tokens[#tokens + 1] = token
  bodies[#bodies + 1] = body
end
request = function()
  n = n + 1
  local headers = {["Content-Type"] = "application/json", ["Authorization"] = "Bearer " .. (tokens[n] or "none")}
  return wrk.format("POST", nil, headers, bodies[n] or "{}")
end
"""


def measure(plan: Plan, folder: Path) -> Part:
    """Profile each hot path on both databases, with nothing kept on any core."""
    with serving.postgres_server() as address:
        found = asyncio.run(_profiled("PostgreSQL", f"{address}/postgres", folder, plan))
    found |= asyncio.run(_profiled("SQLite", f"sqlite:///{folder}/umbra.db", folder, plan))
    owners = sorted(set(OWNERS.values()), key=lambda owner: -sum(shares[owner] for shares in found.values()))
    rows = [[owner, *(f"{shares[owner]:.0%}" for shares in found.values())] for owner in owners]
    return Part("profiles", "Where the event loop's time goes", tables=[Table(["", *found], rows)])


async def _profiled(database: str, url: str, folder: Path, plan: Plan) -> dict[str, Counter[str]]:
    found = {}
    async with _served(url, folder / database, plan) as (of, served):
        for call in ("session", "totp-verify", "step-up", "login"):
            found[f"{database}, {call}"] = _profile(served, await _load(of, served, call, plan))
    return found


@asynccontextmanager
async def _served(url: str, folder: Path, plan: Plan) -> AsyncIterator[tuple[World, Served]]:
    async with ratios.filled(url, folder, plan.seconds + SECONDS_AROUND) as of:
        with serving.umbra(of.environment, folder) as served:
            ratios.warm_up(of, served.calls)
            yield of, served


async def _load(of: World, served: Served, call: str, plan: Plan) -> Load:
    match call:
        case "session":
            script = wrk.SESSIONS % of.sessions
        case "totp-verify":
            await of.challenge()
            script = wrk.BODIES_ONCE % of.verifications
        case "step-up":
            await of.forget()
            script = STEP_UPS % of.write_step_ups()
        case _:
            script = wrk.BODIES_AGAIN % await hashing.people(of)
    return Load(served.call(call), script, plan.seconds + SECONDS_AROUND, of.folder)


def _profile(served: Served, load: Load) -> Counter[str]:
    """Return the share of each owner in the time in which the event loop's thread was at work."""
    raw = load.folder / "stacks"
    process = wrk.start(load)
    try:
        command = ["py-spy", "record", "--pid", str(served.pid), "--duration", str(load.seconds - SECONDS_AROUND)]
        options = ["--rate", str(SAMPLES_PER_SECOND), "--format", "raw", "--output", str(raw)]
        subprocess.run([*command, *options], check=True, capture_output=True)
        if wrk.seen(process).refused:
            raise RuntimeError(f"{load.url} was refused: this is no profile of it")
    finally:
        process.kill()
    serving.await_idle(served)
    return _shares(raw)


def _shares(raw: Path) -> Counter[str]:
    samples: Counter[str] = Counter()
    for line in raw.read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        frames = stack.split(";")
        if frames[0].startswith(MAIN_THREAD):
            samples[_owner(frames)] += int(count)
    total = samples.total()
    return Counter({owner: count / total for owner, count in samples.items()})


def _owner(frames: list[str]) -> str:
    for frame in reversed(frames):
        file = frame.partition("(")[2]
        for beginning, owner in OWNERS.items():
            if file.startswith(beginning):
                return owner
    return OWNERS["asyncio/runners.py"]
