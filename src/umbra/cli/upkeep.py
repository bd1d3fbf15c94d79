import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from umbra.cli.common import json_option, ready, run, show

if TYPE_CHECKING:
    from umbra.audit.chain import Sealed
    from umbra.audit.event import AuditEvent
    from umbra.audit.flows import Verified
    from umbra.auth import Auth
    from umbra.doctor import Finding
    from umbra.restore import Restored
    from umbra.upkeep import Cleaned


CHANGED = 4
"""The exit code that says that somebody has changed the audit log."""


@click.group()
def audit() -> None:
    """What happened."""


@audit.command("list")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="How many, the newest first.")
@click.option("--user", "name", help="Only what happened to this account.")
@json_option
def list_(limit: int, name: str | None, *, as_json: bool) -> None:
    """List the newest events."""
    from umbra.audit import store
    from umbra.signin import account

    async def work(auth: "Auth") -> "list[AuditEvent]":
        await ready(auth)
        user_id = (await account.find(auth, name)).user.id if name is not None else None
        return await store.newest(auth.db, limit, user_id)

    events = run(work)
    lines = (
        f"{one.at:%Y-%m-%d %H:%M:%S}  {one.event:<26} {one.reason or 'done':<20} "
        f"user={one.user_id or '-'} ip={one.ip or '-'}"
        for one in events
    )
    show([{**asdict(one), "at": one.at.isoformat()} for one in events], "\n".join(lines), as_json=as_json)


@audit.command()
@json_option
@click.pass_context
def verify(ctx: click.Context, *, as_json: bool) -> None:
    """Look whether anybody has changed the audit log, and exit with 4 when somebody has."""
    from umbra import restore
    from umbra.audit import flows
    from umbra.audit.chain import FAULTS

    async def work(auth: "Auth") -> "Verified":
        await ready(auth)
        return await flows.verify(auth, seen=await restore.seen(auth))

    found = run(work)
    broken = found.broken
    right = "1 event is as it was sealed" if found.events == 1 else f"{found.events} events are as they were sealed"
    text = f"{right}, until {found.until.number} {found.until.digest}."
    fault = None
    if broken is not None:
        fault = {"seq": broken.seq, "id": broken.id, "fault": broken.fault, "meaning": FAULTS[broken.fault]}
        which = "" if broken.id is None else f" (event {broken.id})"
        text += f"\nBAD  at {broken.seq}{which}: {broken.fault}, {FAULTS[broken.fault]}."
    value = {"intact": broken is None, "events": found.events, "seq": found.until.number, "digest": found.until.digest}
    show(value | {"broken": fault}, text, as_json=as_json)
    ctx.exit(0 if broken is None else CHANGED)


@audit.command()
@click.option("--since", help="Begin with the first event that is no older: 2026-01-31 or 2026-01-31T12:00:00Z.")
def export(since: str | None) -> None:
    """Print the audit log as lines of JSON, the oldest event first."""
    from umbra.audit import flows
    from umbra.core import typed

    begin = typed.moment("since", since) if since is not None else None

    async def work(auth: "Auth") -> None:
        await ready(auth)
        async for one in flows.export(auth, begin):
            click.echo(json.dumps(_as_dict(one), default=str))

    run(work)


@audit.command()
@click.option("--before", required=True, help="Keep the events from then on: 2026-01-31 or 2026-01-31T12:00:00Z.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def prune(before: str, *, yes: bool, as_json: bool) -> None:
    """Delete old events, so that the rest can be verified."""
    from umbra.audit import flows
    from umbra.core import typed
    from umbra.signin import account

    end = typed.moment("before", before)
    if not yes:
        click.confirm(f"Delete all events before {end:%Y-%m-%d %H:%M:%S} UTC?", abort=True, err=True)

    async def work(auth: "Auth") -> int:
        await ready(auth)
        return await flows.prune(auth, end, account.OPERATOR)

    count = run(work)
    text = "1 event is deleted." if count == 1 else f"{count} events are deleted."
    show({"events": count}, text, as_json=as_json)


def _as_dict(one: "Sealed") -> dict[str, Any]:
    from umbra.audit import chain

    places = {"seq": one.seq, "subject": one.subject, "digest": one.digest, "seal": one.seal}
    return asdict(one.said) | {"at": chain.moment(one.said.at)} | places


@click.command()
@json_option
def cleanup(*, as_json: bool) -> None:
    """Delete used codes past their life, and expired sessions and challenges."""
    from umbra import upkeep

    async def work(auth: "Auth") -> "Cleaned":
        await ready(auth)
        return await upkeep.clean_up(auth)

    cleaned = asdict(run(work))
    show(cleaned, "\n".join(f"{count:>8} {name.replace('_', ' ')}" for name, count in cleaned.items()), as_json=as_json)


@click.command("after-restore")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def after_restore(*, yes: bool, as_json: bool) -> None:
    """Make a database safe that was restored from a backup: what was used up since must not open anything."""
    from umbra import restore

    if not yes:
        click.confirm("Everybody is signed out, and is to make new backup codes. Go on?", abort=True, err=True)

    async def work(auth: "Auth") -> "Restored":
        await ready(auth)
        return await restore.make_safe(auth)

    restored = asdict(run(work))
    lines = (f"{count:>8} {name.replace('_', ' ')}" for name, count in restored.items())
    show(restored, "\n".join(lines), as_json=as_json)


@click.command()
@json_option
@click.pass_context
def doctor(ctx: click.Context, *, as_json: bool) -> None:
    """Examine this installation, and exit with the code of the worst finding."""
    from umbra import doctor as doctors

    findings: list[Finding] = run(doctors.examine)
    lines = (f"{'ok ' if one.is_well else 'BAD'}  {one.name}: {one.detail}" for one in findings)
    shown = [
        {"name": one.name, "is_well": one.is_well, "detail": one.detail, "exit_code": one.exit_code} for one in findings
    ]
    show(shown, "\n".join(lines), as_json=as_json)
    ctx.exit(min((one.exit_code for one in findings if not one.is_well), default=0))
