import sys
from typing import TYPE_CHECKING, Any

import click

from umbra.cli.common import json_option, ready, refuse_host, run, show

if TYPE_CHECKING:
    from umbra.auth import Auth
    from umbra.users.user import Account


@click.group()
def users() -> None:
    """The accounts."""


@users.command()
@click.argument("name")
@click.option("--email", help="Mail address.")
@click.option("--operator", "is_operator", is_flag=True, help="May look after other accounts.")
@click.option("--password-stdin", is_flag=True, help="Read the password from the first line of standard input.")
@json_option
def add(name: str, email: str | None, *, is_operator: bool, password_stdin: bool, as_json: bool) -> None:
    """Make an account; the password is asked for."""
    from umbra.core import typed
    from umbra.signin import account

    refuse_host()
    username = typed.username(name)
    address = typed.email(email) if email is not None else None
    password = typed.password(_password(from_stdin=password_stdin))

    async def work(auth: "Auth") -> "Account":
        await ready(auth)
        await account.create(auth, username, password, email=address, is_operator=is_operator, client=account.OPERATOR)
        return await account.find(auth, username)

    made = run(work)
    show(_as_dict(made), f"Account {made.user.username} is made.", as_json=as_json)


@users.command("list")
@json_option
def list_(*, as_json: bool) -> None:
    """List the accounts."""
    from umbra.signin import account

    refuse_host()

    async def work(auth: "Auth") -> "list[Account]":
        await ready(auth)
        return await account.everybody(auth)

    everybody = run(work)
    show([_as_dict(one) for one in everybody], "\n".join(map(_as_line, everybody)), as_json=as_json)


@users.command("reset-mfa")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset_mfa(name: str, *, yes: bool) -> None:
    """Take the second factor of NAME away, and end all of its sessions."""
    from umbra.signin import account, operating

    async def work(auth: "Auth") -> None:
        await ready(auth)
        user = (await account.find(auth, name)).user
        if not yes:
            click.confirm(
                f"Remove every authenticator and backup code of {user.username}, and sign it out?", abort=True
            )
        await operating.reset_second_factor(auth, operating.COMMAND_LINE, user.id)

    run(work)
    click.echo(f"{name} has no second factor any more.")


@users.command()
@click.argument("name")
@click.argument("address", required=False)
def email(name: str, address: str | None) -> None:
    """Give NAME another mail ADDRESS, or none: for an owner who cannot read the old one."""
    from umbra.core import typed
    from umbra.signin import account, operating

    refuse_host()
    new = typed.email(address) if address is not None else None

    async def work(auth: "Auth") -> None:
        await ready(auth)
        await operating.change_email(auth, operating.COMMAND_LINE, (await account.find(auth, name)).user.id, new)

    run(work)
    click.echo(f"{name} has {'no mail address any more' if new is None else 'another mail address'}.")


@users.command()
@click.argument("name")
def disable(name: str) -> None:
    """Keep NAME out, and end all of its sessions."""
    from umbra.signin import account, operating

    refuse_host()

    async def work(auth: "Auth") -> None:
        await ready(auth)
        await operating.disable(auth, operating.COMMAND_LINE, (await account.find(auth, name)).user.id)

    run(work)
    click.echo(f"{name} is disabled.")


@users.command()
@click.argument("name")
def enable(name: str) -> None:
    """Let NAME sign in again."""
    from umbra.signin import account, operating

    refuse_host()

    async def work(auth: "Auth") -> None:
        await ready(auth)
        await operating.enable(auth, operating.COMMAND_LINE, (await account.find(auth, name)).user.id)

    run(work)
    click.echo(f"{name} is enabled.")


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    answer: str = click.prompt("Password", hide_input=True, confirmation_prompt="Once more")
    return answer


def _as_dict(one: "Account") -> dict[str, Any]:
    return {
        "id": one.user.id,
        "username": one.user.username,
        "email": one.user.email,
        "operator": one.user.is_operator,
        "created_at": one.created_at.isoformat(),
        "disabled_at": one.disabled_at.isoformat() if one.disabled_at else None,
    }


def _as_line(one: "Account") -> str:
    marks = [word for word, is_so in (("operator", one.user.is_operator), ("disabled", one.disabled_at)) if is_so]
    return f"{one.user.id:>6}  {one.user.username}  {one.user.email or '-'}  {' '.join(marks)}".rstrip()
