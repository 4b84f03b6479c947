"""Where Dino lives: a world of its own, made by ``unshare``, in which the server is at ``localhost:5222`` and is trusted.

Dino takes a server's address from the DNS only, else the domain's port 5222, and trusts what the system trusts. In the real
world that would need root and a port that is free; here it needs neither.

Run inside the namespaces as ``python -m tests.interop.burrow CERTIFICATE SOCKET BUS``. CERTIFICATE takes the place of the
system's certificates, what connects to port 5222 is relayed to SOCKET, a session bus listens at BUS, and Dino runs until this
process is told to end.
"""

import contextlib
import fcntl
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

from tests.interop.cable import Cable

SYSTEM_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
XMPP_PORT = 5222
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
BUS_SECONDS = 10.0


def live(certificate: str, server: Path, bus: Path) -> int:
    """Dino's exit status."""
    subprocess.run(["mount", "--bind", certificate, SYSTEM_CERTIFICATES], check=True)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
    with Cable(server, XMPP_PORT), contextlib.ExitStack() as stack:
        for command in (
            ["dbus-daemon", "--session", "--nofork", f"--address=unix:path={bus}"],
            ["dino-im", "--print-xmpp=all"],
        ):
            process = subprocess.Popen(command)
            stack.callback(process.wait)
            stack.callback(process.terminate)
            deadline = time.monotonic() + BUS_SECONDS
            while not bus.exists() and time.monotonic() < deadline:
                time.sleep(0.02)
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        return process.wait()


if __name__ == "__main__":
    sys.exit(live(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])))
