"""Where a server listens: on this machine alone, unless there is TLS or it is asked for."""

from __future__ import annotations

import ipaddress
import socket
from pathlib import Path

from vesalius.scans.input_error import InputError


def require_safe(host: str, certificate: Path | None, key: Path | None, insecure: bool) -> None:
    """Refuse to be reached from elsewhere without TLS, unless it was asked for.

    >>> require_safe("127.0.0.1", None, None, False)
    >>> require_safe("0.0.0.0", None, None, False)
    Traceback (most recent call last):
    vesalius.scans.input_error.InputError: 0.0.0.0: can be reached by others without TLS; ...
    """
    for file in (certificate, key):
        if file is not None and not file.is_file():
            raise InputError(file, "does not exist", "give certificate and key as PEM files")
    if (certificate is None) != (key is None):
        raise InputError("TLS", "needs a certificate and its key", "give both")
    if not local(host) and certificate is None and not insecure:
        remedy = "give --certificate and --key, or --insecure behind a proxy that has them"
        raise InputError(host, "can be reached by others without TLS", remedy)


def local(host: str) -> bool:
    """Whether an address is this machine's own.

    >>> local("localhost"), local("::1"), local("10.0.0.7"), local("example.org")
    (True, True, False, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def address_of(host: str, port: int, secure: bool) -> str:
    """Where browsers reach a server that listens at some address.

    >>> address_of("127.0.0.1", 8080, False), address_of("::1", 8443, True)
    ('http://127.0.0.1:8080', 'https://[::1]:8443')
    """
    try:
        everywhere = ipaddress.ip_address(host).is_unspecified
    except ValueError:
        everywhere = False
    name = socket.getfqdn() if everywhere else f"[{host}]" if ":" in host else host
    return f"{'https' if secure else 'http'}://{name}:{port}"
