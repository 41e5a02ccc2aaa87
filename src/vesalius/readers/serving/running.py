"""Starting the server, on this machine unless it is said otherwise."""

from __future__ import annotations

from pathlib import Path

import uvicorn

from vesalius.readers.answers.store import Store
from vesalius.readers.serving.app import create_app
from vesalius.readers.study import Study
from vesalius.serving.listening import require_safe


def serve(
    study: Study, store: Store, host: str, port: int, certificate: Path | None, key: Path | None,
    insecure: bool, secure: bool = False,
) -> None:  # fmt: skip
    """Serve a study until it is stopped. No request is logged: addresses are nobody's business.

    Args:
        study: to serve.
        store: of its answers.
        host, port: to listen at.
        certificate, key: of TLS, as PEM files.
        insecure: allow another address than this machine's own without TLS.
        secure: whether readers reach it by TLS, here or at a proxy.

    Raises:
        InputError: for such an address without either.
    """
    require_safe(host, certificate, key, insecure)
    uvicorn.run(
        create_app(study, store, secure), host=host, port=port, access_log=False,
        log_level="warning", ssl_certfile=certificate, ssl_keyfile=key, server_header=False,
    )  # fmt: skip


def links(study: Study, address: str) -> list[str]:
    """The personal link of each reader."""
    return [f"{address.rstrip('/')}/#{token}" for token in study.tokens()]
