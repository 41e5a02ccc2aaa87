"""A new study to disk."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from pathlib import Path

from vesalius.readers.blinding import lengthened
from vesalius.readers.design import Design
from vesalius.readers.items import Selection
from vesalius.readers.orders import Step
from vesalius.readers.study import (
    DESIGN,
    FORMAT,
    KEY,
    LINKS,
    PRIVATE,
    STIMULI,
    STUDY,
    ItemKey,
    Outline,
    Stimulus,
    Study,
    hashed,
)
from vesalius.scans.formats.json_file import write_json
from vesalius.scans.writing import make_folder, refused_if_unwritable

TOKEN_BYTES, NAME_BYTES = 24, 8


def write_study(
    folder: Path, design: Design, selection: Selection, orders: Sequence[Sequence[Step]],
    outline: dict[str, object],
) -> Study:  # fmt: skip
    """Write all files of a study; `study.json` comes last, so half a study is none.

    Args:
        folder: empty or new.
        design: of it.
        selection: items and practice.
        orders: of each reader.
        outline: the rest of what pages are told.
    """
    private, stimuli = (make_folder(folder / name) for name in (PRIVATE, STIMULI))
    private.chmod(0o700)
    files: list[tuple[Stimulus, ...]] = []
    every = (*selection.items, *selection.practice)
    painted = [one for item in every for one in item.pictures if one.ending == ".png"]
    longest = max((len(one.content) for one in painted), default=0)
    for item in every:
        own = []
        for picture in item.pictures:
            name = secrets.token_hex(NAME_BYTES)
            flat = picture.ending == ".nii" and _depth(picture.content) == 1
            one = Stimulus(name=name, ending=picture.ending, role=picture.role, flat=flat)
            content = picture.content
            with refused_if_unwritable(stimuli / one.file):
                (stimuli / one.file).write_bytes(
                    lengthened(content, longest) if one.ending == ".png" else content
                )
            own.append(one)
        files.append(tuple(own))
    key = [
        ItemKey(case=item.case, source=item.source, truth=item.truth,
                methods=tuple(picture.method for picture in item.pictures if picture.method),
                subject=item.subject)
        for item in every
    ]  # fmt: skip
    _keep(private / KEY, json.dumps([one.model_dump() for one in key], indent=1))
    for number, steps in enumerate(orders, 1):
        reported = json.dumps([step.model_dump() for step in steps])
        _keep(private / f"order-{number}.json", reported)
    tokens = [secrets.token_urlsafe(TOKEN_BYTES) for _ in orders]
    rows = [f"{number},{token}" for number, token in enumerate(tokens, 1)]
    _keep(private / LINKS, "\n".join(["reader,token", *rows]) + "\n")
    design = design.model_copy(update={"phantoms": design.phantoms or selection.phantoms})
    _keep(private / DESIGN, design.model_dump_json(indent=1))
    outlined = Outline.model_validate(
        outline | {"items": files, "readers": [hashed(token) for token in tokens]}
    ).model_dump(mode="json")
    write_json(folder / STUDY, outlined, FORMAT)
    return Study.open(folder)


def _depth(content: bytes) -> int:
    """Voxels along the third axis, from the header of a NIfTI file."""
    return int.from_bytes(content[46:48], "little")


def _keep(path: Path, text: str) -> None:
    with refused_if_unwritable(path):
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")
