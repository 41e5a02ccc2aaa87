"""The secret that pseudonyms are made with: a file of the user's, outside the cohort."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from vesalius.scans.formats.content import read_bytes
from vesalius.scans.input_error import InputError
from vesalius.scans.writing import refused_if_unwritable

KEY_BYTES, LARGEST_BYTES = 32, 4096


def secret_key(path: Path) -> bytes:
    """The secret of a file, which only its owner may read; made if there is none.

    Raises:
        InputError: for a file that holds no secret, or cannot be written.

    >>> import tempfile; file = Path(tempfile.mkdtemp()) / "cohort.key"
    >>> len(secret_key(file)), secret_key(file) == secret_key(file)
    (64, True)
    """
    if path.exists():
        secret = read_bytes(path, LARGEST_BYTES).strip()
        if len(secret) < KEY_BYTES // 2:
            raise InputError(path, "is too short for a key", "remove it, and a new one is made")
        return secret
    secret = secrets.token_hex(KEY_BYTES).encode()
    with refused_if_unwritable(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(secret + b"\n")
    return secret
