from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from umbra.cli.common import json_option, ready, run, show

if TYPE_CHECKING:
    from umbra.audit.store import AuditEvent
    from umbra.auth import Auth
    from umbra.doctor import Finding
    from umbra.restore import Restored
    from umbra.upkeep import Cleaned


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
