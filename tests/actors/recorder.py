"""Actors that write down what they hear."""

from actors.mailbox import Policy
from actors.runtime import TrioActor


class Recorder(TrioActor):
    """Writes (name, message) to a shared log; calls messages that can be called."""

    def __init__(self, log, name="", peer=None):
        super().__init__()
        self.log, self.name, self.peer = log, name, peer

    def on_start(self):
        self.log.append((self.name, "started"))

    def on_stop(self):
        self.log.append((self.name, "stopped"))

    def on_receive(self, message):
        if callable(message):
            message(self)
        else:
            self.log.append((self.name, message))


class Small(Recorder):
    mailbox_limit = 2
    mailbox_policy = Policy.REFUSE


class SmallAndForgetful(Recorder):
    mailbox_limit = 2
    mailbox_policy = Policy.DROP_NEWEST
