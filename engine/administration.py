"""What an operator may ask for, and whether it may be done.

`Command` is the vocabulary of the control socket: frozen structs, one JSON object each, named by its ``type``. Every command
is answered by one `Result`. The command line sends these to the running server, or carries them out itself while no
server runs; either way `actors.provisioning.carry_out` does the work and the rules below decide.

**Passwords never travel.** Whoever reads a password makes SCRAM verifiers of it on the spot, and only these are sent and kept.

Whether a command may be done is decided by the rules in `engine.admission`.
"""

from typing import Final

import msgspec

from engine.contacts import Contact
from engine.ports import Verifier
from engine.retention import Extent

Verifiers = dict[str, Verifier]
"""Of one member: the verifier of each hash name. Empty: nobody can log in until a password is set."""

IMPORT_USERS: Final = 500_000
"""Of one import: it is checked and written as a whole, so all of it is in memory. More: refused, import it in parts."""

FAULTS_SHOWN: Final = 1_000
"""Faulty rows of one import that are reported; whoever has more has one fault in all of them."""


class NewUser(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A member to be added, as it was typed. The fields are those of `Contact`."""

    address: str
    name: str = ""
    title: str = ""
    department: str = ""
    phone: str = ""
    verifiers: Verifiers = {}


# -- commands -----------------------------------------------------------------------------------------------------------


class _Command(msgspec.Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True, forbid_unknown_fields=True):
    """Tagged with its own name."""


class AddDomain(_Command, frozen=True):
    """Serve a domain."""

    domain: str


class RemoveDomain(_Command, frozen=True):
    """Serve a domain no more. It must be empty."""

    domain: str


class ListDomains(_Command, frozen=True):
    """All domains that are served."""


class AddUser(_Command, frozen=True):
    """A new member."""

    user: NewUser


class ChangeUser(_Command, frozen=True):
    """Other details of a member; None leaves one as it is."""

    address: str
    name: str | None = None
    title: str | None = None
    department: str | None = None
    phone: str | None = None


class RemoveUser(_Command, frozen=True):
    """A member goes, with its history, password, own names for contacts and photo, and out of every alias."""

    address: str


class SetPassword(_Command, frozen=True):
    """A new password of a member."""

    address: str
    verifiers: Verifiers


class ListUsers(_Command, frozen=True):
    """All members, of all domains or of one."""

    domain: str = ""


class ImportUsers(_Command, frozen=True):
    """Many new members: all, or none if one of them is refused.

    Attributes:
        users: the rows.
        has_more: the rows go on in the next command of the same connection; until the last one nothing is looked at.
        is_rehearsal: only say whether it could be done.
    """

    users: tuple[NewUser, ...]
    has_more: bool = False
    is_rehearsal: bool = False


class AddAlias(_Command, frozen=True):
    """A new alias."""

    address: str
    members: tuple[str, ...]
    name: str = ""


class ChangeAlias(_Command, frozen=True):
    """Other members or another name of an alias; None leaves one as it is."""

    address: str
    members: tuple[str, ...] | None = None
    name: str | None = None


class RemoveAlias(_Command, frozen=True):
    """An alias goes, and out of every alias that names it."""

    address: str


class ListAliases(_Command, frozen=True):
    """All aliases, of all domains or of one."""

    domain: str = ""


class FindContact(_Command, frozen=True):
    """The member or alias at an address."""

    address: str


class CheckAccounts(_Command, frozen=True):
    """Whether what is kept of domains, members and aliases is whole."""


class Verify(_Command, frozen=True):
    """Integrity of archive, accounts and index."""


class Reindex(_Command, frozen=True):
    """Both search indexes again from the databases."""


class PurgeHistory(_Command, frozen=True):
    """Remove every message from before a time (microseconds since 1970). `is_rehearsal`: only say what that would be."""

    before: int
    is_rehearsal: bool = False


class ShowStatus(_Command, frozen=True):
    """Sessions, queues, archive lag, memory."""


AccountsCommand = (
    AddDomain
    | RemoveDomain
    | ListDomains
    | AddUser
    | ChangeUser
    | RemoveUser
    | SetPassword
    | ListUsers
    | ImportUsers
    | AddAlias
    | ChangeAlias
    | RemoveAlias
    | ListAliases
    | FindContact
    | CheckAccounts
)
"""What is asked of the accounts: of the registrar while a server runs."""

Command = AccountsCommand | Verify | Reindex | PurgeHistory | ShowStatus


# -- results ------------------------------------------------------------------------------------------------------------


class _Result(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """Tagged with its own name."""


class Fault(msgspec.Struct, frozen=True):
    """What is wrong with one row of an import, counted from 0."""

    row: int
    text: str


class Done(_Result, frozen=True):
    """It was done. `text`: one line; `notes`: a line for each thing that had to follow."""

    text: str
    notes: tuple[str, ...] = ()


class Refused(_Result, frozen=True):
    """Nothing was done. `text`: one line that says why; `faults`: of the rows of an import."""

    text: str
    faults: tuple[Fault, ...] = ()


class DomainsListed(_Result, frozen=True):
    """In order of name."""

    domains: tuple[str, ...]


class ContactsListed(_Result, frozen=True):
    """Members or aliases, in order of domain and address."""

    contacts: tuple[Contact, ...]


class Inspected(_Result, frozen=True):
    """Everything was looked at. `problems`: one line for each fault; none: all is well."""

    problems: tuple[str, ...] = ()


class Purged(_Result, frozen=True):
    """What was removed, or would be."""

    extent: Extent


class StatusShown(_Result, frozen=True):
    """Figures by name, in the order in which they are to be shown."""

    figures: dict[str, str | int | float | bool | None]


Result = Done | Refused | DomainsListed | ContactsListed | Inspected | Purged | StatusShown


# -- between actors -----------------------------------------------------------------------------------------------------


class Administer(msgspec.Struct, frozen=True):
    """control gateway -> registrar. `reply_to`: the address that is told `Administered`."""

    command: AccountsCommand
    reply_to: str


class Administered(msgspec.Struct, frozen=True):
    """registrar -> whoever asked."""

    result: Result
