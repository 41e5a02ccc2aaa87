"""`vesalius readers`: what do people see? Studies in the browser, from design to statistics."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter, validators

from vesalius.api.console import bars, console
from vesalius.scans.input_error import InputError

Port = Annotated[int, Parameter(validator=validators.Number(gte=1, lte=65535))]

app = App(
    name="readers",
    help="Ask readers: real or synthetic, which maps are useful, does an aid help.",
)


@contextmanager
def _extra() -> Iterator[None]:
    """Say what to install where libraries of reader studies are missing."""
    try:
        yield
    except ImportError as error:
        remedy = "pip install 'vesalius[readers]'"
        raise InputError(error.name or "a library", "is not installed", remedy) from error


@app.command
def create(design: Path, *, out: Path) -> None:
    """Make a study out of a design: cases made alike, an order and a link for each reader.

    Parameters
    ----------
    design: Path
        YAML file, see docs/how-to/reader-study.md.
    out: Path
        Folder of the study, new or empty. What is in private/ must not reach readers.
    """
    with _extra():
        from vesalius.readers.creating import create_study
        from vesalius.readers.design import read_design

    with bars() as progress:
        created = create_study(read_design(design), out, progress)
    for one in created.cues:
        if one.reveals:
            console.print(
                f"not alike: {one.name} gives the origin away by itself, AUC {one.auc}; readers "
                "may see it too"
            )
    console.print(
        f"{out}: {len(created.study.outline.items)} cases, {created.study.readers} readers; "
        f"next: vesalius readers serve {out}"
    )


@app.command
def serve(
    study: Path,
    *,
    host: str = "127.0.0.1",
    port: Port = 8080,
    database: str | None = None,
    certificate: Path | None = None,
    key: Path | None = None,
    insecure: bool = False,
    address: str | None = None,
) -> None:
    """Show a study in the browser, and keep every answer before the next case is shown.

    Parameters
    ----------
    study: Path
        Folder of vesalius readers create.
    host: str
        Address to listen at; any but this machine's own needs TLS.
    port: int
        Of it.
    database: str
        Where answers are kept, such as postgresql+psycopg://user@host/name; a SQLite file in the
        study without it.
    certificate: Path
        Of TLS, PEM.
    key: Path
        Of the certificate, PEM.
    insecure: bool
        Listen at another address without TLS, behind a proxy that has it.
    address: str
        By which readers reach it, such as https://study.example.org, where a proxy stands before
        it; it begins the links.
    """
    with _extra():
        from vesalius.readers.answers.store import Store
        from vesalius.readers.serving.running import links
        from vesalius.readers.serving.running import serve as run
        from vesalius.readers.study import Study
        from vesalius.serving.listening import address_of, require_safe

    require_safe(host, certificate, key, insecure)
    own = Study.open(study)
    store = Store.at(own, database)
    reached = address or address_of(host, port, certificate is not None)
    for number, link in enumerate(links(own, reached), 1):
        console.print(f"reader {number}: {link}", soft_wrap=True, markup=False)
    secure = certificate is not None or reached.startswith("https://")
    run(own, store, host, port, certificate, key, insecure, secure)


@app.command
def results(study: Path, *, out: Path | None = None, database: str | None = None) -> None:
    """Report what follows: results.json, report.html and answers.csv.

    Parameters
    ----------
    study: Path
        Folder of vesalius readers create.
    out: Path
        Folder of the files; results/ in the study without it.
    database: str
        Where answers were kept, see serve.
    """
    with _extra():
        from vesalius.readers.answers.store import Store
        from vesalius.readers.results.reporting import report_results
        from vesalius.readers.study import Study

    own = Study.open(study)
    folder = out or study / "results"
    result = report_results(own, Store.at(own, database), folder)
    for name, figure in result.figures.items():
        console.print(f"{name:<44} {figure}  ({figure.size})")
    console.print(f"report: {folder / 'report.html'}")


@app.command
def export(study: Path, *, out: Path) -> None:
    """Write a folder of static pages for each reader, for places without a server.

    Parameters
    ----------
    study: Path
        Folder of vesalius readers create.
    out: Path
        New folder; each reader gets one of the folders in it and opens reader.html.
    """
    with _extra():
        from vesalius.readers.exporting import export_study
        from vesalius.readers.study import Study

    pages = export_study(Study.open(study), out)
    console.print(f"{out}: {len(pages)} folders, one a reader; vesalius readers collect reads what "
                  "they save")  # fmt: skip


@app.command
def collect(study: Path, *files: Path, database: str | None = None) -> None:
    """Store the files that readers have saved from static pages.

    Parameters
    ----------
    study: Path
        Folder of vesalius readers create.
    files: Path
        One of each reader; the same file twice changes nothing.
    database: str
        Where answers are kept, see serve.
    """
    with _extra():
        from vesalius.readers.answers.store import Store
        from vesalius.readers.exporting import collect as read
        from vesalius.readers.study import Study

    own = Study.open(study)
    store = Store.at(own, database)
    for file in files:
        result = read(own, store, file)
        console.print(f"{file}: {result.new} new answers of reader {result.reader}")
        if result.doubtful:
            console.print(
                f"  order or washout of {result.doubtful} answers cannot be vouched for; results "
                "say which"
            )
