import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import click

from umbra.cli.common import refuse_host

if TYPE_CHECKING:
    from umbra.core.secret import Secret
    from umbra.settings import Settings

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8000
PRIVATE_UMASK = 0o077


@click.command()
@click.option("--host", default=DEFAULT_HOST, show_default=True, help="Address to listen on.")
@click.option("--port", default=DEFAULT_PORT, show_default=True, type=click.IntRange(1, 65535), help="Port.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1), help="Server processes.")
@click.option("--migrate", "do_migrate", is_flag=True, help="Bring the schema of a PostgreSQL database up to date.")
def serve(host: str, port: int, workers: int, *, do_migrate: bool) -> None:
    """Start the server."""
    import asyncio
    import gc

    gc.disable()  # what is loaded stays; the application looks once for what does not, and enables it again
    click.get_current_context().call_on_close(gc.enable)  # as does a command that comes to nothing
    from umbra import settings as settings_of
    from umbra.core import logs

    refuse_host()
    os.umask(PRIVATE_UMASK)
    settings = settings_of.load()
    if "public_url" not in settings.model_fields_set:
        os.environ["UMBRA_PUBLIC_URL"] = _address(host, port)  # the server processes read it there
        settings = settings_of.load()
    first_run = asyncio.run(_prepare(settings, host, port, do_migrate=do_migrate))
    if not settings_of.is_loopback(host) and not settings.is_https:
        click.echo(f"Warning: plain http on {host} reaches other machines; set UMBRA_PUBLIC_URL to https.", err=True)
    click.echo(f"Umbra is at {settings.public_url}")
    if first_run is not None:
        click.echo("There is no account yet. Make the first one here; the address works once:")
        click.echo(f"  {settings.public_url}/first-run?token={first_run.reveal()}")
    if workers > 1:
        gc.enable()  # each of the server processes loads the application for itself
    with _shared_counts() if settings.metrics and workers > 1 else nullcontext():
        _serve(host, port, workers, logs.configuration(settings.log_format))


@contextmanager
def _shared_counts() -> Iterator[None]:
    """Give server processes a directory in which they add their counts up; they read its name in the environment."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="umbra-metrics-") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        yield


def _refuse_taken_port(host: str, port: int) -> None:
    """Find out before a first-run address is made: one made in vain would end the running server's."""
    import socket

    try:
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError as error:
        raise click.ClickException(f"cannot listen on {host} port {port} ({error.strerror})") from None


def _serve(host: str, port: int, workers: int, log_config: dict[str, Any]) -> None:
    import uvicorn

    uvicorn.run(
        "umbra.app:create_app",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        access_log=False,  # addresses may hold a first-run token, or a link's
        server_header=False,
        proxy_headers=False,  # UMBRA_TRUSTED_PROXIES decides; uvicorn would trust every local process
        log_config=log_config,
        lifespan="on",
    )


async def _prepare(settings: "Settings", host: str, port: int, *, do_migrate: bool) -> "Secret[str] | None":
    from umbra import restore, upkeep, wiring
    from umbra.db import revision
    from umbra.signin import account

    auth = wiring.build(settings)
    try:
        if (auth.db.is_sqlite or do_migrate) and not await revision.is_current(auth.db):
            from umbra.db import migrate

            await migrate.upgrade(auth.db)
        await upkeep.check_ready(auth)
        await restore.keep_mark(auth)
        _refuse_taken_port(host, port)
        return await account.open_first_run(auth)
    finally:
        auth.hashing.close()
        await auth.db.close()


def _address(host: str, port: int) -> str:
    """Return where this server is when nobody has said so: on this machine, whatever it listens on."""
    from umbra.settings import is_loopback

    name = host if is_loopback(host) else DEFAULT_HOST
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"
