"""What tells generated from real images, as one table: beside other real images of the number."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vesalius.anatomy.attributes import attribute_of
from vesalius.evidence.figure import Figure
from vesalius.report import pictures
from vesalius.report.sections import Picture, Table, grid
from vesalius.scans.cohort import Cohort

SHUFFLED = 5
"""Cases of each kind."""

ROWS = {
    "two-sample AUC, network on the images": "two_sample_auc",
    "two-sample AUC, linear on pinned features": "two_sample_auc_of_features",
    "two-sample AUC, network on label maps": "labels/two_sample_auc",
    "images for real label maps: two-sample AUC, network": "from_real_labels/two_sample_auc",
    "Fréchet distance": "frechet",
    "the same of images for real label maps": "from_real_labels/frechet",
    "power of fine detail, to that of real ones": "power_ratio",
    "the same at borders of tissues": "power_ratio/borders",
    "density": "density",
    "coverage": "coverage",
}


PINNED = "a pretrained network that took no part in any fit"
PERCEPTUAL = (
    "EfficientNet-Lite0, at whose earlier layers the perceptual term of an autoencoder looks"
)


TESTS = ("two_sample_auc", "two_sample_auc_of_features")


def _value(figure: Figure) -> float:
    return figure.value


def realism_table(
    figures: Mapping[str, Figure], organ: str = "", features: str = PERCEPTUAL
) -> Table:  # fmt: skip
    """Generated against other real images, held against the same real ones.

    Args:
        figures: by name, those of realism below `<organ>/realism/`.
        organ: whose; none where the names have none.
        features: what the pinned features are of.
    """
    head = f"{organ}/realism/" if organ else "realism/"
    own = {
        key.removeprefix(head): figure for key, figure in figures.items() if key.startswith(head)
    }
    # A place such as a tissue stands behind the name of what it is compared with.
    shown = {f"{key}/generated": figure for key, figure in own.items()}
    for key, figure in own.items():
        name, _, place = key.partition("_real_to_real")
        if key != name:
            shown[f"{name}{place}/real"] = figure
    ratio, of_images = own.get("frechet_ratio"), own.get("from_real_labels/frechet_ratio")
    count = own["two_sample_auc"].n if "two_sample_auc" in own else 0
    tests = [own[name] for name in TESTS if name in own]
    said = f"n = {count} of each. "
    if tests:
        said += f"The classifier that separates them best reaches {max(tests, key=_value)}. "
    said += (
        "A classifier learns on one half and is asked about the other; an AUC of 0.5 is chance, "
        "or too few cases to learn from. Nothing was trained against the network; features are of "
        f"{features}."
    )
    if ratio:
        said += f" Fréchet distance over that of real images: {ratio}."
    if own.get("frechet_ratio_of_filters") not in (None, ratio):
        said += f" By a fixed bank of filters: {own['frechet_ratio_of_filters']}."
    if of_images:
        said += f" Of images for real label maps: {of_images}."
    return grid(shown, ROWS, {"generated": "{row}/generated", "other real ones": "{row}/real"},
                "realism", said)  # fmt: skip


def shuffled_picture(
    real: Cohort | None, generated: Cohort | None, attribute: str, seed: int
) -> Picture | None:  # fmt: skip
    """Five cases of each without labels, in an order that the caption gives away."""
    if real is None or generated is None:
        return None
    few = min(SHUFFLED, len(real.cases), len(generated.cases))
    cases = [(own, case) for own in (real, generated) for case in own.cases[:few]]
    order = _shuffled(few, seed)
    scans = [(f"{place + 1}", cases[row][0].read(cases[row][1]))
             for place, row in enumerate(order)]  # fmt: skip
    answer = ", ".join(map(str, real_places(seed, few)))
    return Picture(
        pictures.montage(scans, labels_of(real, attribute), outline=False),
        "real and generated scans, shuffled",
        f"Unseen real and generated cases, shuffled. Real are {answer}.",
    )


def real_places(seed: int, few: int = SHUFFLED) -> list[int]:
    """Which of a shuffled picture are real, counted from 1.

    >>> sorted(real_places(0, 2)) == real_places(0, 2), len(real_places(0, 2))
    (True, 2)
    """
    return [place + 1 for place, row in enumerate(_shuffled(few, seed)) if row < few]


def _shuffled(few: int, seed: int) -> list[int]:
    """An order of as many real cases as generated ones, the real ones numbered first."""
    return [int(row) for row in np.random.default_rng(seed).permutation(2 * few)]


def labels_of(cohort: Cohort, attribute: str) -> list[int]:
    """Numbers of the labels that an attribute is measured on."""
    labels = attribute_of(cohort.description, attribute).labels
    return [cohort.description.labels[name] for name in labels]
