import sys
from typing import TYPE_CHECKING

import click

from umbra.cli.common import hosts_umbra, json_option, ready, run, show

if TYPE_CHECKING:
    from umbra.auth import Auth
    from umbra.upkeep import KeyUse, Rotated


@click.group()
def keys() -> None:
    """The keys that secrets are encrypted with."""


@keys.command()
@click.option("--print", "is_printed", is_flag=True, help="Print it, and change nothing: for an application's own use.")
def new(*, is_printed: bool) -> None:
    """Make a key: put first in the generated file, or printed where the keys come from the environment."""
    from umbra import settings as settings_of
    from umbra import wiring
    from umbra.crypto import keyring as keyrings

    settings = settings_of.load()
    key = keyrings.new_key()
    generated = settings.data_dir / wiring.KEY_FILE
    if is_printed or hosts_umbra() is not None or not wiring.generates_keys(settings):
        click.echo(key.reveal())
        return
    wiring.prepare_data_dir(settings)
    old = keyrings.read_key_file(generated) if generated.exists() else []
    keyrings.write_key_file(generated, [key.reveal(), *old])
    click.echo(f"A new key stands first in {generated}. Run 'umbra keys rotate' to encrypt everything with it.")


@keys.command()
@click.pass_context
def rotate(ctx: click.Context) -> None:
    """Encrypt every secret with the first key; may be interrupted, and run again."""
    from umbra import upkeep

    async def work(auth: "Auth") -> "Rotated":
        await ready(auth)
        total = await upkeep.count_sealed(auth)
        with click.progressbar(length=total, label="Rotating", file=sys.stderr) as bar:
            return await upkeep.rotate(auth, bar.update)

    rotated = run(work)
    click.echo(f"{rotated.resealed} secrets were encrypted anew; everything readable is under the first key.")
    if rotated.unreadable:
        click.echo(f"{rotated.unreadable} secrets cannot be read with any key; they were left alone.", err=True)
        ctx.exit(1)


@keys.command()
@json_option
@click.pass_context
def status(ctx: click.Context, *, as_json: bool) -> None:
    """Say how many secrets each key encrypts; a key without any may be taken away."""
    from umbra import upkeep

    async def work(auth: "Auth") -> "KeyUse":
        await ready(auth)
        return await upkeep.key_use(auth)

    use = run(work)
    lines = [f"{key_id}  {rows} secrets" for key_id, rows in use.rows.items()]
    lines += [f"unreadable    {use.unreadable} secrets"] if use.unreadable else []
    value = {"keys": [{"id": key_id, "rows": rows} for key_id, rows in use.rows.items()], "unreadable": use.unreadable}
    show(value, "\n".join(lines), as_json=as_json)
    ctx.exit(1 if use.unreadable else 0)
