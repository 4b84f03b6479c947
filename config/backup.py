"""`rookery backup`: both databases as they are at one moment, and the files, into a folder; the server is not asked."""

from pathlib import Path

import click

from config.context import config_option, settings
from config.terminal import Failed
from config.upkeep import ACCOUNTS, ARCHIVE, FILES
from engine.ports import StorageUnavailable
from index.backup import back_up
from index.migrations import DatabaseRefused


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), metavar="DIR")
@config_option
def backup(folder: Path) -> None:
    """Copy accounts, archive and files into DIR, which must be empty or not there; also while the server runs.

    To restore, stop the server, put all of it into an empty data folder, and start it.
    """
    data_dir = settings().data_dir
    try:
        copied = back_up(data_dir / ACCOUNTS, data_dir / ARCHIVE, data_dir / FILES, folder)
    except (DatabaseRefused, StorageUnavailable) as error:
        raise Failed(str(error)) from error
    except OSError as error:
        raise Failed(f"{error.filename or folder}: {error.strerror}") from error
    click.echo(f"{folder}: {ACCOUNTS} and {ARCHIVE}, {copied.octets} bytes, checked; {copied.files} shared files")
