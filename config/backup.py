"""`rookery backup`: both databases as they are at one moment, into a folder; the server goes on and is not asked."""

from pathlib import Path

import click

from config.context import config_option, settings
from config.terminal import Failed
from config.upkeep import ACCOUNTS, ARCHIVE
from engine.ports import StorageUnavailable
from index.backup import back_up
from index.migrations import DatabaseRefused


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), metavar="DIR")
@config_option
def backup(folder: Path) -> None:
    """Copy accounts and archive into DIR, which must be empty or not there; also while the server runs.

    To restore, stop the server, put both files into an empty data folder, and start it.
    """
    data_dir = settings().data_dir
    try:
        size = back_up(data_dir / ACCOUNTS, data_dir / ARCHIVE, folder)
    except (DatabaseRefused, StorageUnavailable) as error:
        raise Failed(str(error)) from error
    except OSError as error:
        raise Failed(f"{error.filename or folder}: {error.strerror}") from error
    click.echo(f"{folder}: {ACCOUNTS} and {ARCHIVE}, {size} bytes, checked")
