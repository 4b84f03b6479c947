"""Having a command carried out: by the running server, or on the databases while there is none.

The order matters. Whoever holds the claim on the data folder may touch the databases, nobody else; so either the claim is
free, then no server runs and the command is carried out here, or somebody has it: a server, which is asked over its socket, or
another command or a server that is just starting, which are waited for.
"""

import time
from typing import Final

import trio

from config.settings import Settings
from config.stopped import carry_out_stopped
from config.terminal import Failed
from engine import administration as a
from gateways.control import Caller, ControlError, FolderBusyError, FolderError, claim

WAIT_SECONDS: Final = 10.0
"""How long another command, or a start of the server, is waited for."""

_POLL_SECONDS: Final = 0.05


def ask(settings: Settings, command: a.Command) -> a.Result:
    """Have it carried out; a refusal is a result.

    Raises:
        Failed: nobody could carry it out.
    """
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            with Caller(settings.data_dir) as server:
                return server.call(command)
        except ControlError as error:
            raise Failed(str(error)) from error
        except PermissionError as error:
            raise Failed(f"data_dir {settings.data_dir}: {error.strerror}; run as the server's user") from error
        except OSError:
            pass  # nobody listens: try to be the one who may touch the databases
        try:
            with claim(settings.data_dir):
                return trio.run(carry_out_stopped, settings, command)
        except FolderBusyError as error:
            if time.monotonic() >= deadline:
                raise Failed(f"{error}, which does not answer") from error
        except FolderError as error:
            raise Failed(str(error)) from error
        time.sleep(_POLL_SECONDS)


def perform(settings: Settings, command: a.Command) -> a.Result:
    """Have it carried out, and end with its one line if it is refused.

    Raises:
        Failed: it was refused.
    """
    result = ask(settings, command)
    if isinstance(result, a.Refused):
        raise Failed(result.text)
    return result
