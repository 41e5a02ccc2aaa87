"""The page of a generated cohort: first cases, requested against measured, what was not met."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vesalius.evidence.results import Results
from vesalius.report.pictures import requested_against_measured
from vesalius.report.rendering import write_page
from vesalius.report.sections import Page, Picture, Section, Text, figures_table, section
from vesalius.report.volumes_pictures import EACH, three_planes
from vesalius.sampling.cohort import GeneratedCohort
from vesalius.scans.attributes import unit_of


def write_generation_report(made: GeneratedCohort, phantoms: bool, path: Path) -> Path:
    """Write one self-contained page about a generated cohort."""
    scans = [made.cohort.read_images(case) for case in made.cohort.cases[:EACH]]
    first = Picture(
        three_planes([[("synthetic", scans)]]), "middle slices of generated cases",
        "Middle slices, axial, coronal and sagittal, of the first cases; none was picked.",
    )  # fmt: skip
    accepted = sum(draw.accepted for draw in made.draws)
    said = f"{len(made.cohort.cases)} cases were kept, {accepted} of {len(made.draws)} draws."
    gate = (
        f"{made.copies_rejected} draws were rejected as copies of training cases."
        if made.gated else "No draw was held against training cases."
    )  # fmt: skip
    unmet = Text("", tuple(str(fault) for fault in made.faults)) if made.faults else None
    page = Page(
        "generated cases", Results("generation", "", 0, phantoms, made.figures, {}), [
            section("The first cases", first), *_control(made),
            section("Figures", figures_table(made.figures)), section("Requests not met", unmet),
        ], [said, gate], phantoms=phantoms,
        phantom_note="The run that generated these cases was fitted on phantoms.",
    )  # fmt: skip
    return write_page(page, path)


def _control(made: GeneratedCohort) -> list[Section]:
    """Every draw of each attribute, where three or more values were requested."""
    sections = []
    for name in dict.fromkeys(name for draw in made.draws for name in draw.measured):
        rows = [
            (draw.target(name), draw.measured[name], draw.accepted)
            for draw in made.draws if name in draw.measured and draw.target(name) is not None
        ]  # fmt: skip
        if len({requested for requested, _, _ in rows}) < 3:
            continue
        requested, measured, accepted = np.array(rows, dtype=float).T
        picture = requested_against_measured(requested, measured, accepted > 0, unit_of(name))
        title = f"{name.replace('_', ' ')}, requested and measured"
        sections.append(section(title, Picture(picture, title)))
    return sections
