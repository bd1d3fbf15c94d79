"""wrk, what it sends, and what it saw."""

import re
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

CONNECTIONS = 32

SESSIONS = """
local tokens, n = {}, 0
for line in io.lines("%s") do tokens[#tokens + 1] = line end
request = function()
  n = n %% #tokens + 1
  return wrk.format("GET", nil, {["Authorization"] = "Bearer " .. tokens[n]})
end
"""
"""Session checks, one token after the other, over and over."""

BODIES_ONCE = """
local bodies, n = {}, 0
for line in io.lines("%s") do bodies[#bodies + 1] = line end
request = function()
  n = n + 1
  return wrk.format("POST", nil, {["Content-Type"] = "application/json"}, bodies[n] or "{}")
end
"""
"""JSON bodies, each once; when they run out, what is sent is refused and counted."""

BODIES_AGAIN = BODIES_ONCE.replace("n = n + 1", "n = n %% #bodies + 1")
"""JSON bodies, over and over."""

COUNTING = """
local threads = {}
setup = function(thread) table.insert(threads, thread) end
statuses = {}
response = function(status) statuses[tostring(status)] = (statuses[tostring(status)] or 0) + 1 end
done = function()
  for _, thread in ipairs(threads) do
    for status, count in pairs(thread:get("statuses")) do print("status " .. status .. "=" .. count) end
  end
end
"""
"""Counts answers by their status; it costs wrk something, so only where answers are few."""


@dataclass(frozen=True)
class Round:
    """What wrk saw: answers a second, latencies in milliseconds, answers that were no success."""

    rate: float
    p50: float
    p99: float
    refused: int
    statuses: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Load:
    """What to send where, from which core, for how long."""

    url: str
    script: str
    seconds: int
    folder: Path
    connections: int = CONNECTIONS
    core: int | None = None


def run(load: Load) -> Round:
    """Let wrk loose, and return what it saw."""
    process = start(load)
    try:
        return seen(process)
    finally:
        process.kill()
        process.wait()


def start(load: Load) -> "subprocess.Popen[str]":
    """Start wrk and do not wait; the caller ends it."""
    lua = load.folder / f"load-{abs(hash(load))}.lua"
    lua.write_text(load.script)
    where = ["taskset", "-c", str(load.core)] if load.core is not None else []
    command = [
        *where,
        "wrk",
        "-t1",
        f"-c{load.connections}",
        f"-d{load.seconds}s",
        "--latency",
        "--timeout",
        "30s",
        "-s",
        str(lua),
        load.url,
    ]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def seen(process: "subprocess.Popen[str]") -> Round:
    """Wait for a running wrk, and return what it saw."""
    said, _ = process.communicate()
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    broken = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", said)
    return Round(
        float(_found(r"Requests/sec:\s+([\d.]+)", said)),
        _milliseconds(_found(r"\n +50%\s+(\S+)", said)),
        _milliseconds(_found(r"\n +99%\s+(\S+)", said)),
        (int(refused[1]) if refused else 0) + (sum(map(int, broken.groups())) if broken else 0),
        {status: int(count) for status, count in re.findall(r"status (\d{3})=(\d+)", said)},
    )


def share(seen: Round, status: str) -> float:
    """Return the rate of answers with one status."""
    return seen.rate * seen.statuses.get(status, 0) / max(1, sum(seen.statuses.values()))


def median(rounds: Sequence[Round], what: str) -> float:
    """Return the median over rounds of one thing that wrk saw."""
    return statistics.median(float(getattr(one, what)) for one in rounds)


def as_json(rounds: Sequence[Round]) -> list[dict[str, Any]]:
    """Return rounds in a form that can be written down."""
    return [asdict(one) for one in rounds]


def _found(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    if found is None:
        raise RuntimeError(text)
    return found[1]


def _milliseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()  # type: ignore[union-attr]
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000, "m": 60_000}[unit]
