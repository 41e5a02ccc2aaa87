"""Relaxation of the tissues at 1.5 T, and the signal they give in a T2-weighted spin echo.

Times in ms. Sources: spinal cord, muscle and nerve from Stanisz et al. 2005, "T1, T2 relaxation and
magnetization transfer in tissue at 3T"; red marrow, fat and liver (for bowel wall) from de
Bazelaire et al. 2004, "MR imaging relaxation times of abdominal and pelvic tissues measured in vivo
at 3.0 T" (both report 1.5 T beside 3 T); cerebrospinal fluid from Rooney et al. 2007, "Magnetic
field and tissue dependencies of human brain longitudinal ¹H₂O relaxation in vivo", its T2 from
textbooks; the nucleus by grade of the order that Watanabe et al. 2007 saw by T2 mapping. Three are
chosen so that pictures look as they do: the T2 of fat, longer than a single echo gives, since echo
trains undo its J coupling (Henkelman et al. 1994, "Why fat is bright in RARE and fast spin-echo MR
images"), and cortical bone and ligament, nearly without signal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vesalius.phantoms.mri import spin_echo

PD_T1_T2 = {
    "fluid": (1.00, 4000.0, 1800.0),
    "cord": (0.75, 745.0, 74.0),
    "nerve": (0.78, 815.0, 77.0),
    "muscle": (0.80, 1008.0, 44.0),
    "fat": (0.90, 343.0, 110.0),
    "red_marrow": (0.78, 549.0, 60.0),
    "annulus": (0.60, 1000.0, 36.0),
    "ligament": (0.40, 900.0, 22.0),
    "bone": (0.15, 800.0, 15.0),
    "bowel": (0.85, 586.0, 60.0),
    "facet": (0.80, 1100.0, 48.0),
}

_NUCLEUS_T2 = ((1.0, 165.0), (2.0, 118.0), (3.0, 82.0), (4.0, 58.0), (5.0, 44.0))


@dataclass(frozen=True)
class Sequence:
    """Repetition and echo time in ms.

    >>> t2 = Sequence(3500, 100)
    >>> t2.signal("fluid") > t2.signal("fat") > t2.signal("cord") > t2.signal("muscle")
    True
    >>> t2.nucleus(1.0) > t2.nucleus(3.0) > t2.nucleus(5.0)
    True
    """

    repetition_ms: float
    echo_ms: float

    def signal(self, tissue: str) -> float:
        """What a tissue of `PD_T1_T2` gives."""
        density, t1, t2 = PD_T1_T2[tissue]
        return float(spin_echo(density, t1, t2, self.repetition_ms, self.echo_ms))

    def nucleus(self, grade: float) -> float:
        """What the nucleus pulposus gives at a Pfirrmann grade."""
        grades, times = zip(*_NUCLEUS_T2, strict=True)
        t2 = float(np.interp(grade, grades, times))
        density = float(np.interp(grade, (1, 5), (0.95, 0.7)))
        return float(spin_echo(density, 1200.0, t2, self.repetition_ms, self.echo_ms))
