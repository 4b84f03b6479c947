"""The commands about domains, users and aliases, and how they print what comes back."""

from pathlib import Path
from typing import Any

import click

from config import importing
from config.context import config_option, settings
from config.operation import ask, perform
from config.terminal import Failed, print_json, print_table, read_password
from engine import administration as a

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON value.")
password_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password from the first line of standard input."
)


def tell(result: a.Result) -> None:
    """Print what was done, and what followed."""
    if isinstance(result, a.Done):
        click.echo(result.text)
        for note in result.notes:
            click.echo(note)


# -- domains ------------------------------------------------------------------------------------------------------------


@click.group()
@config_option
def domain() -> None:
    """Domains that are served."""


@domain.command("add")
@click.argument("name", metavar="DOMAIN")
@config_option
def add_domain(name: str) -> None:
    """Serve DOMAIN, beside those of the configuration file."""
    tell(perform(settings(), a.AddDomain(name)))


@domain.command("remove")
@click.argument("name", metavar="DOMAIN")
@config_option
def remove_domain(name: str) -> None:
    """Serve DOMAIN no more; it must be without users and aliases."""
    tell(perform(settings(), a.RemoveDomain(name)))


@domain.command("list")
@json_option
@config_option
def list_domains(*, as_json: bool) -> None:
    """List all domains."""
    result = perform(settings(), a.ListDomains())
    if isinstance(result, a.DomainsListed):
        if as_json:
            print_json(result.domains)
        else:
            for name in result.domains:
                click.echo(name)


# -- users --------------------------------------------------------------------------------------------------------------


@click.group()
@config_option
def user() -> None:
    """Members of the domains."""


def _detail_options(function: Any) -> Any:
    for name, text in (
        ("--phone", "Phone number."),
        ("--department", "Department; the group in contact lists."),
        ("--title", "Title, such as 'Head of sales'."),
        ("--name", "Display name."),
    ):
        function = click.option(name, help=text)(function)
    return function


@user.command("add")
@click.argument("address")
@_detail_options
@password_option
@config_option
def add_user(
    address: str,
    name: str | None,
    title: str | None,
    department: str | None,
    phone: str | None,
    *,
    password_stdin: bool,
) -> None:
    """Add a member at ADDRESS; everyone online sees it at once.

    The password is asked for at a terminal or read with --password-stdin. Without either, nobody can log in until one is set
    with `passwd`.
    """
    loaded = settings()
    verifiers = read_password(from_stdin=password_stdin, is_needed=False)
    new = a.NewUser(
        address=address,
        name=name or "",
        title=title or "",
        department=department or "",
        phone=phone or "",
        verifiers=verifiers,
    )
    tell(perform(loaded, a.AddUser(new)))
    if not verifiers:
        click.echo("no password: nobody can log in until one is set with `rookery user passwd`")


@user.command("change")
@click.argument("address")
@_detail_options
@config_option
def change_user(address: str, name: str | None, title: str | None, department: str | None, phone: str | None) -> None:
    """Change details of a member; what is not given stays as it is, '' clears it."""
    tell(perform(settings(), a.ChangeUser(address=address, name=name, title=title, department=department, phone=phone)))


@user.command("remove")
@click.argument("address")
@config_option
def remove_user(address: str) -> None:
    """Remove a member, also from the aliases that name it, with its history; those with whom it talked keep theirs.

    `rookery history export` before it is the way to keep the history.
    """
    tell(perform(settings(), a.RemoveUser(address)))


@user.command("passwd")
@click.argument("address")
@password_option
@config_option
def set_password(address: str, *, password_stdin: bool) -> None:
    """Set a member's password."""
    loaded = settings()
    verifiers = read_password(from_stdin=password_stdin, is_needed=True)
    tell(perform(loaded, a.SetPassword(address, verifiers)))


@user.command("list")
@click.argument("name", metavar="[DOMAIN]", default="")
@json_option
@config_option
def list_users(name: str, *, as_json: bool) -> None:
    """List all members, or those of DOMAIN."""
    result = perform(settings(), a.ListUsers(name))
    if not isinstance(result, a.ContactsListed):
        return
    fields = ("address", "name", "title", "department", "phone")
    rows = [tuple(getattr(contact, field) for field in fields) for contact in result.contacts]
    if as_json:
        print_json([dict(zip(fields, row, strict=True)) for row in rows])
    else:
        print_table([field.upper() for field in fields], rows)


@user.command("import")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE.csv")
@config_option
def import_users(file: Path) -> None:
    """Add the members of FILE.csv: all of them, or none if a row is faulty.

    The first line names the columns: address,name,password and, if you like, title,department,phone. A member whose password
    is empty can log in when one is set with `passwd`.
    """
    loaded = settings()
    try:
        rows, faults = importing.read_file(file)
    except importing.FileError as error:
        raise Failed(str(error)) from error
    # Judged before the passwords are worked on, which takes minutes for a large file.
    rehearsal = ask(loaded, a.ImportUsers(tuple(row.user for row in rows), is_rehearsal=True))
    if isinstance(rehearsal, a.Refused):
        if not rehearsal.faults:
            raise Failed(rehearsal.text)
        faults += [importing.LineFault(rows[fault.row].line, fault.text) for fault in rehearsal.faults]
    if faults:
        for fault in sorted(faults):
            click.echo(f"{file}:{fault.line}: {fault.text}", err=True)
        lines = len({fault.line for fault in faults})
        more = "at least " if lines >= a.FAULTS_SHOWN else ""
        raise Failed(f"{file}: {more}{lines} faulty rows; nothing was imported")
    tell(perform(loaded, a.ImportUsers(importing.with_verifiers(rows))))


# -- aliases ------------------------------------------------------------------------------------------------------------


@click.group()
@config_option
def alias() -> None:
    """Aliases: contacts that stand for several members."""


@alias.command("add")
@click.argument("address")
@click.argument("members", nargs=-1, required=True, metavar="MEMBER...")
@click.option("--name", default="", help="Display name.")
@config_option
def add_alias(address: str, members: tuple[str, ...], name: str) -> None:
    """Add an alias at ADDRESS for each MEMBER, a user or another alias of its domain."""
    tell(perform(settings(), a.AddAlias(address, members, name)))


@alias.command("change")
@click.argument("address")
@click.argument("members", nargs=-1, metavar="[MEMBER...]")
@click.option("--name", help="Display name.")
@config_option
def change_alias(address: str, members: tuple[str, ...], name: str | None) -> None:
    """Give an alias other members, another name, or both; what is not given stays as it is."""
    tell(perform(settings(), a.ChangeAlias(address, members or None, name)))


@alias.command("remove")
@click.argument("address")
@config_option
def remove_alias(address: str) -> None:
    """Remove an alias, also from the aliases that name it."""
    tell(perform(settings(), a.RemoveAlias(address)))


@alias.command("list")
@click.argument("name", metavar="[DOMAIN]", default="")
@json_option
@config_option
def list_aliases(name: str, *, as_json: bool) -> None:
    """List all aliases, or those of DOMAIN."""
    result = perform(settings(), a.ListAliases(name))
    if not isinstance(result, a.ContactsListed):
        return
    if as_json:
        fields = ("address", "name", "members")
        print_json([{field: getattr(contact, field) for field in fields} for contact in result.contacts])
    else:
        rows = [(contact.address, contact.name, " ".join(contact.members)) for contact in result.contacts]
        print_table(["ADDRESS", "NAME", "MEMBERS"], rows)
