"""Findings: a herniated disc or a narrowed canal, as changes of what a healthy spine would show.

Everything a finding moves fades within some 20 mm, so the rest of the scan is that of the healthy
counterfactual.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vesalius.phantoms.shapes import Array, bump, rise
from vesalius.phantoms.spine.anatomy import LEVELS, SpineAnatomy

PATHOLOGIES = ("herniation", "stenosis")
SIZES_MM = {"herniation": (3.0, 9.5), "stenosis": (10.0, 4.0)}
"""From the mildest to the worst: how far material reaches beyond the disc; the diameter left."""

LEAST_NARROWING_MM = 2.0
"""A stenosis narrows at least by this, however narrow the canal was."""

_FADE_MM = 20.0
_BACK_GIVES = 0.35


@dataclass(frozen=True)
class Finding:
    """One pathology at one level.

    Attributes:
        pathology: `herniation`, `stenosis`, or `protrusion`, which is none.
        level: such as `L4-L5`.
        size_mm: of `SIZES_MM`.
        side_mm: how far a herniation lies to the right of the midline.
        offset_mm: how far its tip has moved up along the spine.
        width_mm: standard deviation of a herniation, side to side.
        front: share of a narrowing that comes from the disc; the rest from ligament and joints.
    """

    pathology: str
    level: str
    size_mm: float
    side_mm: float = 0.0
    offset_mm: float = 0.0
    width_mm: float = 5.5
    front: float = 0.5

    @property
    def severity(self) -> float:
        """0 to 1 within `SIZES_MM`, 1 the worst; milder ones are 0.

        >>> Finding("stenosis", "L4-L5", 4.0).severity
        1.0
        """
        mildest, worst = SIZES_MM[self.pathology]
        return float(np.clip((self.size_mm - mildest) / (worst - mildest), 0, 1))


def draw_finding(
    pathology: str,
    level: str,
    rng: np.random.Generator,
    sizes_mm: Mapping[str, tuple[float, float]] = SIZES_MM,
) -> Finding:
    """A finding of drawn size and place; as in patients, the severe ones are rare.

    >>> rng = np.random.default_rng(0)
    >>> severities = [draw_finding("herniation", "L4-L5", rng).severity for _ in range(200)]
    >>> 0.3 < float(np.mean(severities)) < 0.5
    True
    """
    mildest, worst = sizes_mm[pathology]
    severity = draw_severity(rng)
    return Finding(
        pathology, level, mildest + severity * (worst - mildest),
        side_mm=float(np.clip(rng.normal(0, 3.0), -6, 6)),
        offset_mm=float(np.clip(rng.normal(-1.0, 2.5), -6, 5)),
        width_mm=float(rng.uniform(4.5, 6.5)),
        front=float(rng.uniform(0.35, 0.65)),
    )  # fmt: skip


def draw_severity(rng: np.random.Generator) -> float:
    """How bad a finding, or the wear of a disc, is: 0 to 1, seldom near 1."""
    return float(rng.beta(1.3, 2.0))


class Effects:
    """What all findings of a case do to the spine, as functions of `u` and `s` in mm.

    Attributes:
        wear: severity of the disc's degeneration by level, which comes with every finding and,
            where `worn` says so, without one.
        protrusions: of discs without a herniation; in form a small one, labelled as the disc.
    """

    def __init__(
        self,
        anatomy: SpineAnatomy,
        findings: Sequence[Finding],
        worn: Mapping[str, float] | None = None,
    ) -> None:
        self.anatomy, self.findings = anatomy, tuple(findings)
        self.wear = dict(worn or {})
        for finding in findings:
            self.wear[finding.level] = max(finding.severity, self.wear.get(finding.level, 0.0))
        herniated = {f.level for f in findings if f.pathology == "herniation"}
        self.protrusions = tuple(
            Finding("protrusion", level, disc.protrusion, disc.aside, width_mm=4.0)
            for level, disc in ((level, anatomy.disc(level)) for level in LEVELS)
            if disc.protrusion > 0 and level not in herniated
        )

    def grade(self, level: str) -> float:
        """Pfirrmann grade of a disc: what herniates or bulges has lost water."""
        healthy = self.anatomy.disc(level).grade
        if level not in self.wear:
            return healthy
        return float(min(5.0, max(healthy, 2.2) + 1.0 + 0.8 * self.wear[level]))

    def bend(self, v: Array, s: Array) -> Array:
        """Positions along the spine with the end plates of a worn disc brought together."""
        moved = s
        for level, severity in self.wear.items():
            disc = self.anatomy.disc(level)
            loss = min(0.30 * disc.height, 1.0 + 1.2 * severity)
            apart = s - disc.middle
            half = disc.height / 2
            fade = 1 - rise((np.abs(apart) - half) / (_FADE_MM - half))
            fade = fade * rise((v + 14) / 8)
            moved = moved + loss / 2 * np.clip(apart / half, -1, 1) * fade
        return moved

    def herniated(self, finding: Finding, u: Array, s: Array) -> Array:
        """How far material reaches beyond the disc's edge, in mm."""
        disc = self.anatomy.disc(finding.level)
        reach = bump(u - finding.side_mm, finding.width_mm)
        along = s - disc.middle
        tall = disc.height / 2 + 0.25 * finding.size_mm
        return finding.size_mm * reach * np.clip(1 - (np.abs(along) / tall) ** 4, 0, 1) ** 0.5

    def drifted(self, finding: Finding, v: Array, s: Array) -> Array:
        """Positions along the spine as a herniation's tip sees them after it moved."""
        return s - finding.offset_mm * rise(-v / max(finding.size_mm, 1.0))

    def bulge(self, level: str, u: Array, s: Array) -> Array:
        """How far the disc itself bulges beyond the wall because of a narrowing."""
        total: Array = np.zeros_like(u * s)
        for finding, narrowing in self._narrowings():
            if finding.level == level:
                total = total + finding.front * narrowing * bump(u, 13.0)
        return total

    def front(self, u: Array, s: Array) -> Array:
        """How far the front of the sac is held back from the wall, in mm; 0 without findings."""
        total: Array = np.zeros_like(u * s)
        for finding in (*self.findings, *self.protrusions):
            if finding.pathology != "stenosis":
                middle = s - 0.6 * finding.offset_mm
                total = np.maximum(total, self.herniated(finding, u, middle))
        for finding, narrowing in self._narrowings():
            along = s - self.anatomy.disc(finding.level).middle
            total = np.maximum(total, finding.front * narrowing * bump(u, 13.0) * bump(along, 5.0))
        return total

    def back(self, u: Array, s: Array) -> Array:
        """How far the back of the sac comes forward; below zero where a herniation pushes it."""
        total: Array = np.zeros_like(u * s)
        for finding, narrowing in self._narrowings():
            along = s - self.anatomy.disc(finding.level).middle
            total = total + (1 - finding.front) * narrowing * bump(along, 7.0)
        for finding in self.findings:
            if finding.pathology == "herniation":
                pushed = self.herniated(finding, u, s)
                total = total - np.minimum(_BACK_GIVES * pushed, 1.3)
        return total

    def narrowed(self, s: Array) -> Array:
        """Factor on the width of the sac, side to side."""
        factor: Array = np.ones_like(s)
        for finding, narrowing in self._narrowings():
            along = s - self.anatomy.disc(finding.level).middle
            factor = factor - 0.035 * narrowing * bump(along, 6.0)
        return factor

    def _narrowings(self) -> list[tuple[Finding, float]]:
        result = []
        for finding in self.findings:
            if finding.pathology == "stenosis":
                healthy = sac_diameter(self.anatomy, self.anatomy.disc(finding.level).middle)
                narrowing = max(LEAST_NARROWING_MM, float(healthy) - finding.size_mm)
                result.append((finding, narrowing))
        return result


def sac_diameter(anatomy: SpineAnatomy, s: Array | float) -> Array:
    """Diameter of the healthy sac, front to back, in mm; it ends at S2."""
    upper, lower = anatomy.sac_mm
    knots = [anatomy.middles[8], anatomy.middles[7], anatomy.middles[6], anatomy.middles[5],
             anatomy.middles[1], anatomy.middles[0]]  # fmt: skip
    values = [0.0, 4.5, 0.78 * lower, lower, upper, upper]
    return np.asarray(np.interp(s, knots, values))
