"""What one request makes a server's processor do, in instructions: no rate, but the same on every run of a machine."""

import asyncio
import http.client
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from itertools import cycle, islice
from pathlib import Path

from bench import ratios, serving
from bench.results import Part, Plan, Table
from bench.serving import Served
from bench.world import World

FEW, MANY = 200, 1200
"""What start-up and the first requests take is in both counts, and so in neither of their difference."""

Serve = Callable[..., AbstractContextManager[Served]]


def measure(_plan: Plan, folder: Path) -> Part:
    """Count on PostgreSQL and on SQLite."""
    with serving.postgres_server() as address:
        rows = asyncio.run(_rows("PostgreSQL", f"{address}/postgres", folder / "postgres"))
    rows += asyncio.run(_rows("SQLite", f"sqlite:///{folder}/umbra.db", folder / "sqlite"))
    return Part(
        "instructions",
        "Instructions a request",
        tables=[Table(["", "bare", "Umbra", "bare / Umbra"], rows)],
        notes=[
            "In the server's process, and without the kernel's; the database's own count on SQLite, which is in it."
        ],
    )


async def _rows(database: str, url: str, folder: Path) -> list[list[str]]:
    async with ratios.filled(url, folder, 1) as of:
        return [await _row(f"{database}, {call}", of, call) for call in ratios.CALLS]


async def _row(name: str, of: World, call: str) -> list[str]:
    bare = await _of_one_request(of, call, partial(serving.asgi, "bench.bare"))
    umbra = await _of_one_request(of, call, serving.umbra)
    return [name, f"{bare:,.0f}", f"{umbra:,.0f}", f"{bare / umbra:.2f}"]


async def _of_one_request(of: World, call: str, serve: Serve) -> float:
    few, many = [await _counted(of, call, serve, requests) for requests in (FEW, MANY)]
    return (many - few) / (MANY - FEW)


async def _counted(of: World, call: str, serve: Serve, requests: int) -> int:
    """Return what a server's process has done from its start to its end."""
    counts = of.folder / "instructions"
    under = ("valgrind", "--tool=cachegrind", "--cache-sim=no", f"--cachegrind-out-file={counts}")
    with serve(of.environment, of.folder, under=under) as served:
        lines = await _prepared(of, call)
        await asyncio.to_thread(_send, served, call, islice(cycle(lines), requests))
    found = re.search(r"^summary: (\d+)", counts.read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1])


async def _prepared(of: World, call: str) -> list[str]:
    await of.forget()
    if call == "session":
        return of.sessions.read_text().splitlines()
    await of.challenge()
    return of.verifications.read_text().splitlines()


def _send(served: Served, call: str, lines: Iterator[str]) -> None:
    connection = http.client.HTTPConnection(served.address.removeprefix("http://"), timeout=60)
    for line in lines:
        if call == "session":
            connection.request("GET", f"/api/auth/{call}", headers={"Authorization": f"Bearer {line}"})
        else:
            connection.request("POST", f"/api/auth/{call}", line, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        if answer.status != http.HTTPStatus.OK:
            raise RuntimeError(f"{call} was answered {answer.status}")
    connection.close()
