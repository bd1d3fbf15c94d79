from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from umbra.cli.common import json_option, ready, refuse_host, run, show

if TYPE_CHECKING:
    from umbra.auth import Auth
    from umbra.mail.store import Queued


@click.group()
def mail() -> None:
    """The mail that tells owners what happened to their accounts."""


@mail.command()
@click.argument("address")
def test(address: str) -> None:
    """Send a test to ADDRESS, at once."""
    from umbra.core import typed
    from umbra.mail import flows

    refuse_host()
    recipient = typed.email(address)
    run(lambda auth: flows.send_test(auth, recipient))
    click.echo(f"The mail server has taken a mail to {recipient}.")


@mail.command("list")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="How many, the newest first.")
@json_option
def list_(limit: int, *, as_json: bool) -> None:
    """List the newest mails of the queue, those that were sent too."""
    from umbra.mail import flows

    refuse_host()

    async def work(auth: "Auth") -> "list[Queued]":
        await ready(auth)
        return await flows.queue(auth, limit)

    queue = run(work)
    show([_as_dict(one) for one in queue], "\n".join(map(_as_line, queue)), as_json=as_json)


def _as_dict(one: "Queued") -> dict[str, Any]:
    moments = {name: at and at.isoformat() for name, at in asdict(one).items() if name.endswith("_at")}
    return {**asdict(one), **moments, "state": one.state}


def _as_line(one: "Queued") -> str:
    tried = f"attempts={one.attempts} {one.last_error or ''}"
    return f"{one.created_at:%Y-%m-%d %H:%M:%S}  {one.kind:<24} {one.state:<9} {one.recipient}  {tried}".rstrip()
