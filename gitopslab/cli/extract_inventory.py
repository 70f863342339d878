"""`gitopslab extract inventory`, and `gitopslab land inventory`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gitopslab.cli import output, sources
from gitopslab.errors import UsageError

if TYPE_CHECKING:
    from gitopslab.extract.rows import RowLanding
    from gitopslab.extract.run import Tally
    from gitopslab.settings import Inventory, Settings


def register(extract_app: typer.Typer) -> None:
    """Add the command that reads what is served to `extract_app`."""
    extract_app.command(
        epilog="Examples: `gitopslab extract inventory`; `gitopslab extract inventory hub`, once a minute."
    )(inventory)


def register_files(land_app: typer.Typer) -> None:
    """Add the command that reads what was fetched before to `land_app`."""
    land_app.command(
        "inventory", epilog="Example: `gitopslab land inventory inventory/fetched.ndjson.zst --name hub`."
    )(land_inventory)


def inventory(
    names: Annotated[
        list[str] | None, typer.Argument(help="Inventories under [[inventories]]; by default all.")
    ] = None,
    dry_run: sources.DryRun = False,
) -> None:
    """Land what each environment should run and runs now, as the hub's inventory says.

    It holds no times of deployments: they are as exact as this is called often.
    """
    from datetime import UTC, datetime

    from gitopslab import http, settings
    from gitopslab.extract.inventory import InventoryExtraction

    configured = settings.load()
    chosen = sources.chosen(configured.inventories, names, "inventories", _name)
    if dry_run:
        for each in chosen:
            typer.echo(f"would read {output.plain(each.url)} as inventory {each.name}")
        return

    def extract(each: "Inventory") -> "Tally":
        source = http.connect(f"inventory {each.name}", each.url, each.token_variable)
        landing = _landing(configured, each.name)
        with landing:
            InventoryExtraction(landing).fetch(source, datetime.now(UTC))
        return landing.tally

    sources.each(chosen, _name, extract)


def land_inventory(
    paths: Annotated[
        list[Path],
        typer.Argument(
            help='Files of inventories, one a line as {"fetchedAt": …, "body": …}; plain, gzip or zstd.'
        ),
    ],
    name: Annotated[str, typer.Option(help="Name of the inventory; not needed if one is configured.")] = "",
) -> None:
    """Land inventories that were fetched before, in order of time. What is none is kept as a reject."""
    from gitopslab import settings
    from gitopslab.extract.inventory import InventoryExtraction

    configured = settings.load()
    landing = _landing(configured, name or _only(configured))
    with landing:
        extraction = InventoryExtraction(landing)
        for path in paths:
            extraction.read(path)
    tally = landing.tally
    typer.echo(
        f"inventory {landing.origin.cluster}: {tally.landed_count:,} rows landed,"
        f" {tally.known_count:,} known already, {tally.reject_count:,} pieces rejected"
    )


def _landing(configured: "Settings", name: str) -> "RowLanding":
    from gitopslab.extract.inventory import SYSTEM
    from gitopslab.extract.rows import RowLanding
    from gitopslab.extract.run import Origin
    from gitopslab.lake import Lake

    lake = Lake(configured.lake.path)
    return RowLanding(lake, Origin("inventory", name, SYSTEM), email_salt=configured.privacy.email_salt)


def _only(configured: "Settings") -> str:
    names = [each.name for each in configured.inventories]
    if len(names) == 1:
        return names[0]
    raise UsageError("say which inventory they are of: --name NAME")


def _name(each: "Inventory") -> str:
    return each.name
