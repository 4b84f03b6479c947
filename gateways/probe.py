"""Whether this machine could listen at an address, tried out for `rookery check`."""

import socket


def try_to_listen(host: str, port: int) -> None:
    """Take the address as a listener would, and let go of it at once.

    Raises:
        OSError: it cannot be; ``strerror`` says why.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    for family, kind, protocol, _, address in found:
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind(address)
            probe.listen(1)  # with SO_REUSEADDR only this finds another listener
