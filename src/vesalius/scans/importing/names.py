"""Names of cases, labels and columns that any file system and any table can hold."""

from __future__ import annotations

import hashlib
import hmac
import re
import unicodedata

LONGEST = 80


def safe_name(*parts: str) -> str:
    """Parts joined by underscores; what is no letter, digit, `.`, `_` or `-` becomes `-`.

    >>> safe_name("sub-01", "", "T1 w/contrast")
    'sub-01_T1-w-contrast'
    """
    return "_".join(filter(None, (_safe(part, r"[^A-Za-z0-9._\-]+") for part in parts)))[:LONGEST]


def column_name(text: str) -> str:
    """A heading as the name of a column: small letters, digits, underscores.

    >>> column_name("Age at MRI (years)"), column_name("ÄGE")
    ('age_at_mri_years', 'age')
    """
    return _safe(text, r"[^A-Za-z0-9]+").replace("-", "_").lower()


def label_name(text: str) -> str:
    """What a structure is called, with underscores; the background keeps its name to itself.

    >>> label_name("Left Lateral Ventricle"), label_name("")
    ('Left_Lateral_Ventricle', 'label')
    """
    name = _safe(text.strip().replace(" ", "_"), r"[^A-Za-z0-9._\-]+")
    return f"{name}_structure" if name.lower() == "background" else name or "label"


def pseudonym(key: bytes, identity: str) -> str:
    """A name that only the holder of the key can tie to an identity.

    HMAC with SHA-256 (RFC 2104), of which 40 bits are kept: among 10,000 patients the chance that
    any two share a name is 5 in 100,000.

    >>> pseudonym(b"mine", "Doe^John"), pseudonym(b"yours", "Doe^John")
    ('p-2a39a1dd92', 'p-be31482d08')
    """
    return "p-" + hmac.new(key, identity.encode(), hashlib.sha256).hexdigest()[:10]


def _safe(text: str, strange: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(strange, "-", plain).strip("-.")
