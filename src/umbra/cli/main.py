"""The operator's face. Commands translate and print; what they do is in the use cases."""

from typing import Any

import click

from umbra import __version__
from umbra.cli import database, guesses, keys, mail, moving, serve, upkeep, users
from umbra.core.errors import InvalidRequest, Misconfigured, NotFound, Refused, Unavailable


class UmbraGroup(click.Group):
    """Says what is wrong in one line on standard error, and exits with 1."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except Misconfigured as error:
            raise click.ClickException(str(error)) from None
        except Unavailable:
            raise click.ClickException("the database cannot be reached (UMBRA_DATABASE_URL)") from None
        except InvalidRequest as error:
            raise click.ClickException("; ".join(f"{field} {problem}" for field, problem in error.problems)) from None
        except NotFound:
            raise click.ClickException("there is no account of that name") from None
        except Refused as refusal:
            raise click.ClickException(_sentence(refusal)) from None


@click.group(cls=UmbraGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="umbra")
@click.option("--app", envvar="UMBRA_APP", help="Work on an application's Umbra: module:name.")
def main(app: str | None) -> None:
    """Umbra: one place to sign in, with a second factor."""


main.add_command(serve.serve)
main.add_command(database.db)
main.add_command(users.users)
main.add_command(keys.keys)
main.add_command(mail.mail)
main.add_command(moving.import_)
main.add_command(guesses.guess_budget)
main.add_command(upkeep.audit)
main.add_command(upkeep.cleanup)
main.add_command(upkeep.after_restore)
main.add_command(upkeep.doctor)


def _sentence(refusal: Refused) -> str:
    from umbra.passwords.errors import PasswordRefused
    from umbra.web.problems import ANSWERS

    if isinstance(refusal, PasswordRefused):
        return f"password refused: {refusal.why}"
    return ANSWERS[refusal.reason][1].lower()
