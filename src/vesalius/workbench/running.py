"""Starting the workbench, on this machine unless it is said otherwise."""

from __future__ import annotations

import webbrowser
from collections.abc import Callable, Sequence
from pathlib import Path

import uvicorn

from vesalius.scans.output import Made, output_folder
from vesalius.serving.listening import address_of, require_safe
from vesalius.serving.niivue import niivue_script
from vesalius.workbench.app import Workbench, create_app
from vesalius.workbench.opened import Opened


def open_workbench(
    paths: Sequence[Path], out: Path, host: str = "127.0.0.1", port: int = 8090,
    certificate: Path | None = None, key: Path | None = None, show: bool = True,
    opened: Callable[[str], None] = lambda link: None,
) -> None:  # fmt: skip
    """Serve until it is stopped. What was asked for stays in `out`, and is gone on with.

    Args:
        paths: of cohorts and runs.
        out: folder of jobs and of kept cases.
        host, port: to listen at.
        certificate, key: of TLS, as PEM files; needed at another address than this machine's own.
        show: open the browser.
        opened: called with the link.

    Raises:
        InputError: for a path that is neither, such an address without TLS, or a folder whose
            queue is of other paths or in use.
    """
    require_safe(host, certificate, key, False)
    found, viewer = Opened.of(paths), niivue_script()
    secure = certificate is not None
    with output_folder(out, made_of(paths), tuple(paths)) as folder:
        bench = Workbench(found, folder, viewer)
        link = f"{address_of(host, port, secure)}/#{bench.token}"
        opened(link)
        if show:
            webbrowser.open(link)
        bench.jobs.start()
        try:
            uvicorn.run(
                create_app(bench, secure), host=host, port=port, access_log=False,
                log_level="warning", ssl_certfile=certificate, ssl_keyfile=key,
                server_header=False,
            )  # fmt: skip
        finally:
            bench.jobs.stop()


def made_of(paths: Sequence[Path]) -> Made:
    """What a queue belongs to: its jobs name cohorts and runs by their places among these.

    >>> made_of([Path("/data/scans"), Path("/runs/brain")])["paths"]
    '/data/scans, /runs/brain'
    """
    return {"command": "open", "paths": ", ".join(str(path.resolve()) for path in paths)}
