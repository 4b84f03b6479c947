"""Accounts that register themselves (XEP-0077 2.4), for servers that allow it to anyone on loopback."""

from collections.abc import Sequence

from tests.load.loop import Loop
from tests.load.session import Account, Script, Session, SessionError, iq_answer, open_stream
from tests.load.target import Target

SECONDS = 600.0
AT_ONCE = 8
REQUEST = (
    "<iq type='set' id='register'><query xmlns='jabber:iq:register'><username>{}</username>"
    "<password>{}</password></query></iq>"
)


def register(loop: Loop, targets: Sequence[Target], accounts: Sequence[Account]) -> None:
    """Register accounts, each over a connection of its own.

    Raises:
        SessionError: one was refused, for another reason than being there already.
    """
    queue = list(zip(targets, accounts, strict=True))
    pending: list[Session] = []
    failed: list[str] = []

    def is_done() -> bool:
        for session in [session for session in pending if session.is_ready or session.failure]:
            pending.remove(session)
            failed.extend([session.failure] if session.failure else [])
            session.line.close()
        while queue and len(pending) < AT_ONCE:
            target, account = queue.pop()
            session = Session(loop, target, account, "")
            session.play(_register(session))
            pending.append(session)
        return not pending or bool(failed)

    if not loop.run_until(is_done, SECONDS) or failed:
        raise SessionError(failed[0] if failed else "registrations take too long")


def _register(session: Session) -> Script:
    yield from open_stream(session)
    account = session.account
    session.line.say(REQUEST.format(account.local, account.password or "unused").encode())
    answer = yield iq_answer("register")
    if b"type='error'" in answer and b"<conflict" not in answer:
        raise SessionError(f"{account.bare}: not registered: {answer[:300]!r}")
    session.is_ready = True
