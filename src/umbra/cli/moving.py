import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from umbra.cli.common import json_option, ready, run, show

if TYPE_CHECKING:
    from umbra.auth import Auth
    from umbra.core.secret import Secret
    from umbra.imports.flows import Report

KINDS = ("base32", "seed", "django-otp", "allauth", "better-auth", "otpauth-csv")
URL = "UMBRA_IMPORT_URL"
KEY = "UMBRA_IMPORT_KEY"


@click.command("import")
@click.option("--from", "kind", required=True, type=click.Choice(KINDS), help="What made the tables, or the file.")
@click.option("--source", help=f"Database address, or the CSV file; better {URL}, if it holds a password.")
@click.option("--table", help="base32: the table with the secrets.")
@click.option("--secret-column", help="base32: the column with the secrets.")
@click.option("--login-column", help="The column with the names that people sign in with.")
@click.option(
    "--key-file", type=click.Path(path_type=Path), help=f"Keys of the source's secrets, one a line; or {KEY}."
)
@click.option("--dry-run", is_flag=True, help="Say what would come, and keep nothing.")
@json_option
@click.pass_context
def import_(
    ctx: click.Context,
    kind: str,
    source: str | None,
    table: str | None,
    secret_column: str | None,
    login_column: str | None,
    key_file: Path | None,
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Move second factors over from another application; nobody has to enrol again."""
    from umbra.imports import flows, sources
    from umbra.imports.asked import Asked

    asked = Asked(table, secret_column, login_column, _keys(key_file))
    address = source or os.environ.get(URL) or None

    async def work(auth: "Auth") -> "Report":
        await ready(auth)
        found = await sources.read(auth, kind, address, asked)
        how = flows.Import(kind, is_rehearsal=dry_run)
        with click.progressbar(length=len(found), label="Importing", file=sys.stderr) as bar:
            return await flows.bring(auth, how, found, bar.update)

    report = run(work)
    show(_as_dict(report, dry_run=dry_run), _as_text(report, dry_run=dry_run), as_json=as_json)
    ctx.exit(1 if report.left else 0)


def _keys(file: Path | None) -> "tuple[Secret[str], ...]":
    from umbra.core.secret import Secret
    from umbra.crypto.keyring import read_key_file

    texts = read_key_file(file) if file is not None else [os.environ.get(KEY, "")]
    return tuple(Secret(text) for text in texts if text)


def _as_dict(report: "Report", *, dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "imported": [
            {
                "account": one.account,
                "authenticators": one.authenticators,
                "backup_codes": one.backup_codes,
                "notes": list(one.notes),
            }
            for one in report.moved
        ],
        "left_out": [{"account": one.account, "what": one.what, "reason": one.why} for one in report.left],
    }


def _as_text(report: "Report", *, dry_run: bool) -> str:
    from umbra.core.typed import header

    lines = [
        f"{header(one.account)}: authenticators {one.authenticators}, backup codes {one.backup_codes}"
        + "".join(f" ({note})" for note in one.notes)
        for one in report.moved
    ]
    lines += [f"{header(one.account)}: {one.what} left out: {one.why}" for one in report.left]
    would = "would be imported" if dry_run else "imported"
    lines.append(f"{len(report.moved)} accounts {would}; {len(report.left)} things left out, see docs/moving.md.")
    return "\n".join(lines)
