"""The statements alone: pgbench runs what the bare endpoint runs, in the same transactions, with nothing around it.

The bare endpoint is asked what it runs (bench/listening.py) about one account. What belongs to that account is
recognised by its value and becomes an expression of an account's number; every other value is the same for everybody,
and is given to pgbench as it is.
"""

import asyncio
import json
import re
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from bench import filler, machine, ratios, serving, world
from bench.results import Part, Plan, Table, figure
from bench.world import World
from umbra.challenge.tables import CHALLENGES
from umbra.core.entropy import SystemEntropy
from umbra.crypto import tokens
from umbra.db import postgres
from umbra.sessions.tables import SESSIONS
from umbra.totp import algorithm
from umbra.totp.tables import AUTHENTICATORS
from umbra.users.tables import USERS

CLIENTS = postgres.POOL_SIZE
"""As many as Umbra has connections: a commit waits for the disk, and others can share the wait."""

THREADS = 2
VERIFICATIONS_PER_SECOND = 8_000
"""More than a database on one core can do; every account is verified once in a round."""

MODEL = 777_777
"""The account that the bare endpoint is asked about; nothing else in the statements looks like it."""

CONTENDERS = ("bare", "pgbench", "umbra")

_CHALLENGES = f"""
INSERT INTO challenges (id, user_id, token_hash, created_at, expires_at, guesses)
SELECT n, n, {filler.HASH_OF.format(kind="challenge", number="n")}, t, t + interval '5 minutes', 0
FROM timezone('utc', now()) t, generate_series(1, $1::integer) n
"""  # noqa: S608

_ANY_ACCOUNT = "\\set user random(1, :accounts)\n"
_NEXT_ACCOUNT = "\\set n :n + 1\n\\set user :n * :clients + :client_id + 1\n"
_HASH = re.compile(r"[0-9a-f]{64}")

Rates = dict[str, dict[str, list[float]]]
"""By call, then by who was measured."""


@dataclass
class Script:
    """A script for pgbench, and the values that are the same for everybody."""

    text: str
    constants: dict[str, str] = field(default_factory=dict)

    def constant(self, value: Any) -> str:
        """Return the name under which pgbench finds a value."""
        name = f"c{len(self.constants)}"
        self.constants[name] = str(value)
        return f":{name}"


@dataclass(frozen=True)
class Bench:
    """A database that only pgbench uses, and what it runs there."""

    of: World
    port: str
    accounts: int
    scripts: dict[str, Script]


def measure(plan: Plan, folder: Path) -> Part:
    """Run the same statements from the bare endpoint, from Umbra and from pgbench in turn, on one PostgreSQL."""
    with serving.postgres_server(core=machine.cores()[1]) as address:
        rates, statements = asyncio.run(_measured(address, folder, plan))
    medians = {
        call: {name: statistics.median(many) for name, many in by_name.items()} for call, by_name in rates.items()
    }
    header = ["", "statements", "pgbench/s", "bare/s", "Umbra/s", "bare / pgbench", "Umbra / pgbench"]
    rows = [
        [call, str(statements[call]), *(figure(by[name]) for name in ("pgbench", "bare", "umbra")), *_fractions(by)]
        for call, by in medians.items()
    ]
    return Part("pgbench", "Beside the statements alone", tables=[Table(header, rows)], raw={"rates": rates})


async def _measured(address: str, folder: Path, plan: Plan) -> tuple[Rates, dict[str, int]]:
    async with filler.connected(f"{address}/postgres") as connection:
        await connection.execute("CREATE DATABASE statements")
    rates: Rates = {call: {name: [] for name in CONTENDERS} for call in ratios.CALLS}
    core = machine.cores()[1]
    async with (
        world.opened(f"{address}/statements", folder / "statements") as alone,
        ratios.filled(f"{address}/postgres", folder / "postgres", plan.seconds) as of,
    ):
        bench = await _prepared(alone, address, plan)
        with ratios.both_served(of) as servers:
            calls = ratios.addresses(servers)
            for begin in calls.values():
                ratios.warm_up(of, begin, core)
            for number in range(plan.rounds):
                for name in sorted(CONTENDERS, reverse=number % 2 == 1):
                    for call in ratios.CALLS:
                        rates[call][name].append(
                            await _one_round(bench, call, plan)
                            if name == "pgbench"
                            else (await ratios.one_round(of, f"{calls[name]}/{call}", plan.seconds, folder, core)).rate
                        )
    return rates, {call: script.text.count(";\n") for call, script in bench.scripts.items()}


async def _prepared(of: World, address: str, plan: Plan) -> Bench:
    """Ask the bare endpoint about the model, and fill the database with as many accounts as a round can need."""
    heard = await _heard(of)
    accounts = VERIFICATIONS_PER_SECOND * plan.seconds
    await filler.fill(of.environment["UMBRA_DATABASE_URL"], accounts)
    of.last_session = accounts
    scripts = {
        "session": _script(_ANY_ACCOUNT, heard["session"], "session"),
        "totp-verify": _script(_NEXT_ACCOUNT, heard["totp-verify"], "challenge"),
    }
    return Bench(of, address.rpartition(":")[2], accounts, scripts)


async def _heard(of: World) -> dict[str, list[Any]]:
    entropy = SystemEntropy()
    now = datetime.now(UTC)
    session, challenge = tokens.SESSION.new(entropy), tokens.CHALLENGE.new(entropy)
    of.secrets[MODEL] = entropy.token_bytes(algorithm.SECRET_BYTES)
    mine = {"id": MODEL}
    async with of.auth.db.begin() as tx:
        await tx.execute(insert(USERS).values(world.user_row(MODEL, now) | mine))
        await tx.execute(insert(AUTHENTICATORS).values(of.authenticator_row(MODEL, now) | mine))
        await tx.execute(insert(SESSIONS).values(world.session_row(MODEL, session, now) | mine))
        await tx.execute(insert(CHALLENGES).values(world.challenge_row(MODEL, challenge, now) | mine))
    body = {"mfa_token": challenge.reveal(), "delivery": "token"} | of.code(MODEL, now)
    return await asyncio.to_thread(_asked, of, session.reveal(), json.dumps(body))


def _asked(of: World, token: str, body: str) -> dict[str, list[Any]]:
    asked = subprocess.run(
        [sys.executable, "-m", "bench.listening"],
        input=f"{token}\n{body}\n",
        env=serving.with_paths(of.environment),
        cwd=serving.ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    heard: dict[str, list[Any]] = json.loads(asked.stdout)
    return heard


def _script(head: str, transactions: list[Any], shown: str) -> Script:
    """Write the script; the first hash that occurs is that of the token that was ``shown``."""
    script = Script(head)
    hashes: dict[str, str] = {}
    for is_begun, statements in transactions:
        lines = [_statement(script, text, values, hashes, shown) for text, values in statements]
        script.text += "".join(["BEGIN;\n", *lines, "COMMIT;\n"] if is_begun else lines)
    return script


def _statement(script: Script, text: str, values: list[Any], hashes: dict[str, str], shown: str) -> str:
    for value in values:
        if isinstance(value, str) and _HASH.fullmatch(value):
            hashes.setdefault(value, "new session" if hashes else shown)
    expressions = [_expression(script, value, hashes) for value in values]
    return re.sub(r"\$(\d+)", lambda found: expressions[int(found[1]) - 1], text).strip() + ";\n"


def _expression(script: Script, value: Any, hashes: dict[str, str]) -> str:
    if value is None:
        return "NULL"
    if value == MODEL:
        return ":user"
    if value in hashes:
        return filler.HASH_OF.format(kind=hashes[value], number=":user")
    if isinstance(value, str) and value.endswith(f":{MODEL}"):
        return f"('{value.removesuffix(str(MODEL))}' || (:user)::text)"
    return script.constant(value)


async def _one_round(bench: Bench, call: str, plan: Plan) -> float:
    if call == "session":
        return _run(bench, call, plan)[0]
    await bench.of.forget()
    async with filler.connected(bench.of.environment["UMBRA_DATABASE_URL"]) as connection:
        await connection.execute(_CHALLENGES, bench.accounts)
        rate, count = _run(bench, call, plan)
        used = await connection.fetchval("SELECT count(*) FROM totp_usage")
    if used != count:
        raise RuntimeError(f"pgbench counted {count} verifications and the database {used}")
    return rate


def _run(bench: Bench, call: str, plan: Plan) -> tuple[float, int]:
    script = bench.scripts[call]
    file = bench.of.folder / f"{call}.sql"
    file.write_text(script.text)
    variables = script.constants | {
        "accounts": str(bench.accounts),
        "clients": str(CLIENTS),
        "n": "-1",
    }
    command = ["taskset", "-c", str(machine.cores()[0]), "pgbench", "-n", "-M", "prepared", "-c", str(CLIENTS),
               "-j", str(THREADS), "-T", str(plan.seconds), "-f", str(file), "-h", "127.0.0.1", "-p", bench.port,
               "-U", "umbra", *(f"-D{name}={value}" for name, value in variables.items()), "statements"]  # fmt: skip
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    rate = re.search(r"tps = ([\d.]+)", done.stdout)
    count = re.search(r"actually processed: (\d+)", done.stdout)
    if done.returncode or rate is None or count is None:
        raise RuntimeError(done.stderr[-2000:])
    return float(rate[1]), int(count[1])


def _fractions(rates: dict[str, float]) -> list[str]:
    return [figure(rates[name] / rates["pgbench"]) for name in ("bare", "umbra")]
