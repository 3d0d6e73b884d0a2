"""``bening``: the command line. Each command lives in ``ledger/commands``; here is their list and the one way out."""

from __future__ import annotations

import importlib
import os
import sys

import click

from ledger.commands.common import Session, trouble_of
from ledger.errors import LedgerError
from ledger.words import choose_language

__all__ = ["main"]

COMMANDS = {
    "setup": "desk:setup",
    "key": "keys:key",
    "init": "found:init",
    "roster": "roster:roster",
    "number": "desk:number",
    "draft": "desk:draft",
    "sign": "desk:sign",
    "submit": "desk:submit",
    "publish": "desk:publish",
    "import": "bulk:import_",
    "serve": "serve:serve",
    "sequence": "operate:sequence",
    "web": "serve:web",
    "status": "operate:status",
    "fsck": "operate:fsck",
    "backup": "keep:backup",
    "restore": "keep:restore",
    "recover": "keep:recover",
    "rebuild": "operate:rebuild",
    "upgrade": "keep:upgrade",
    "trust": "trust:trust",
    "verify": "check:verify",
    "bundle": "check:bundle",
    "audit": "check:audit",
    "witness": "witness:witness",
}


class Commands(click.Group):
    """A group whose commands are imported when they are called, so that each starts fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the design."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command."""
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name].split(":")
        command: click.Command = getattr(importlib.import_module(f"ledger.commands.{module}"), name)
        return command


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--lang", type=click.Choice(["id", "en"]), help="Language of the answer. Default: from LANG.")
@click.version_option(package_name="bening")
@click.pass_context
def bening(ctx: click.Context, lang: str | None) -> None:
    """Bening: a public ledger of official acts that anyone can check."""
    if lang:
        ctx.obj.lang = lang


def main(args: list[str] | None = None) -> None:
    """Run one command and exit: 0 done and true, 1 false or disputed, 2 usage, 3 not checked, 4 refused."""
    session = Session(choose_language(None, os.environ))
    try:
        status = bening.main(args=args, prog_name="bening", standalone_mode=False, obj=session)
    except LedgerError as error:
        status = session.fail(error)
    except click.ClickException as error:
        error.show()
        status = 2
    except (click.Abort, KeyboardInterrupt):
        status = 130
    except BrokenPipeError:
        sys.stderr.close()
        status = 141
    except Exception as error:
        known = trouble_of(error)
        if known is None:
            raise
        status = session.fail(known)
    sys.exit(status if isinstance(status, int) else 0)


if __name__ == "__main__":
    main()
