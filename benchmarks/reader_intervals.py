"""Do the intervals of reader studies hold the truth as often as they promise?

    .venv/bin/python -m benchmarks.reader_intervals

Studies by readers of known skill are simulated for several sizes; their answers pass through the
code of `vesalius readers results`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.simulated_readers import EVERYONE, Crowd, Raters, decided
from vesalius.evidence.agreement import alpha
from vesalius.evidence.figure import Figure
from vesalius.readers.results.diagnosis import CONDITIONS, diagnosis_figures
from vesalius.readers.results.readings import Reading
from vesalius.readers.results.realism import realism_figures

MANY = 400
SYNTHETIC, REAL = 2.8, 3.3
"""Mean worth of cases of either origin."""


@dataclass(frozen=True)
class Size:
    """Of simulated studies.

    Attributes:
        readers, cases: half of the cases are ill, or synthetic.
        skills: mean of readers without and with the aid, see `Crowd`.
        studies: how many are simulated.
    """

    readers: int
    cases: int
    skills: tuple[float, float] = (1.0, 1.4)
    studies: int = 200

    @property
    def positive(self) -> np.ndarray:
        """Which cases are, `(N,)`."""
        return np.repeat([0.0, 1.0], self.cases // 2)


SIZES = (Size(6, 80), Size(2, 40), Size(4, 30, (2.0, 3.0)), Size(12, 200))


def decisions(size: Size) -> Counter[str]:
    """How often intervals of studies of diagnosis hold the truth, by figure."""
    rng, held = np.random.default_rng(0), Counter[str]()
    everyone = Crowd.generated(rng, EVERYONE, *size.skills)
    both = Crowd.generated(rng, MANY, *size.skills).scores(rng, np.tile([0.0, 1.0], MANY * 25))
    known = {}
    for name, means in (
        ("sensitivity", everyone.sensitivity().mean(axis=1)),
        ("specificity", everyone.specificity().mean(axis=1)),
        ("auc", everyone.auc().mean(axis=1)),
    ):
        known |= {f"{condition}/{name}": means[row] for row, condition in enumerate(CONDITIONS)}
        known[f"aided_minus_unaided/{name}"] = means[1] - means[0]
    known |= {f"agreement/{one}/icc": _icc(both[row]) for row, one in enumerate(CONDITIONS)}
    for _ in range(size.studies):
        crowd = Crowd.generated(rng, size.readers, *size.skills)
        scores = crowd.scores(rng, size.positive)
        readings = [
            _reading(reader, case, "yes" if size.positive[case] else "no", bool(aided),
                     decided(scores[aided, reader, case]))
            for aided in range(2) for reader in range(size.readers) for case in range(size.cases)
        ]  # fmt: skip
        own = {"reader_1/unaided/sensitivity": crowd.sensitivity()[0, 0],
               "reader_1/aided/specificity": crowd.specificity()[1, 0],
               "reader_1/unaided/auc": crowd.auc()[0, 0]}  # fmt: skip
        for row, condition in enumerate(CONDITIONS):
            own[f"agreement/{condition}/alpha"] = crowd.decision_alpha(row)
        _count(held, known | own, diagnosis_figures(readings, range(size.readers)))
    return held


def ratings(size: Size) -> Counter[str]:
    """The same of studies of realism."""
    rng, held = np.random.default_rng(0), Counter[str]()
    worth = np.where(size.positive == 1, SYNTHETIC, REAL)
    many = Raters.generated(rng, MANY).ratings(rng, np.tile([REAL, SYNTHETIC], MANY * 25))
    means = many[:, ::2].mean(), many[:, 1::2].mean()
    known = {
        "real/appearance": means[0], "synthetic/appearance": means[1],
        "synthetic_minus_real/appearance": means[1] - means[0],
        "agreement/appearance/icc": _icc(many), "origin/sensitivity": (many[:, 1::2] <= 3).mean(),
        "origin/specificity": (many[:, ::2] > 3).mean(),
    }  # fmt: skip
    for _ in range(size.studies):
        raters = Raters.generated(rng, size.readers)
        rated = raters.ratings(rng, worth)
        readings = [
            _reading(reader, case, "synthetic" if size.positive[case] else "real", False,
                     {"origin": "real" if rated[reader, case] > 3 else "synthetic",
                      "appearance": int(rated[reader, case])})
            for reader in range(size.readers) for case in range(size.cases)
        ]  # fmt: skip
        own = alpha(raters.ratings(rng, np.tile([REAL, SYNTHETIC], 2000)), "ordinal")
        _count(held, known | {"agreement/appearance/alpha": own},
               realism_figures(readings, range(size.readers)))  # fmt: skip
    return held


def _reading(
    reader: int, case: int, truth: str, aided: bool, content: Mapping[str, Any]
) -> Reading:
    return Reading(
        reader, case, f"case {case}", truth, "main", 1 + aided, aided, (), dict(content), 1.0, 0
    )


def _icc(many: np.ndarray) -> float:
    """ICC(2,1) of all readers and cases there could be, from many of both `(R, N)`."""
    return float(many.mean(axis=0).var() / many.var())


def _count(held: Counter[str], known: Mapping[str, float], found: Mapping[str, Figure]) -> None:
    """Count the intervals that hold the truth; a figure without an interval holds none."""
    for name, true in known.items():
        low, high = found[name].ci95 or (np.inf, -np.inf)
        held[name] += bool(low <= true <= high)


def main() -> None:
    """Print the share of intervals that hold the truth, for several sizes."""
    for size in SIZES:
        print(f"{size.readers} readers, {size.cases} cases, skills {size.skills}")
        for name, count in (decisions(size) | ratings(size)).items():
            print(f"    {name:<40} {count / size.studies:.3f}")


if __name__ == "__main__":
    main()
