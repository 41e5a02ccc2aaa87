"""The files that pages are made of: by address what is sent, and how it is called."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

HTML, CSS, SCRIPT = "text/html; charset=utf-8", "text/css", "text/javascript; charset=utf-8"
KINDS = {".html": HTML, ".css": CSS, ".js": SCRIPT}


@dataclass(frozen=True)
class Pages:
    """One page of HTML and the files beside it.

    Attributes:
        folder: that holds them.
        html: the page that stands at `/`.
        files: beside it, each at its own name.
    """

    folder: Path
    html: str
    files: Sequence[str]

    @property
    def addresses(self) -> dict[str, str]:
        """The file at each address."""
        return {"/": self.html} | {f"/{name}": name for name in self.files}

    def content(self, address: str) -> tuple[bytes, str]:
        """What stands at an address, and its kind."""
        name = self.addresses[address]
        return (self.folder / name).read_bytes(), KINDS[Path(name).suffix]

    def sent(self, address: str, response: Callable[..., object]) -> Callable[[], object]:
        """A route that sends what stands at an address, made by a class of responses."""

        def send() -> object:
            content, media = self.content(address)
            return response(content, media_type=media)

        return send
