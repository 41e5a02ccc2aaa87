"""What an aid does to decisions: sensitivity, specificity and AUC without it and with it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vesalius.evidence.agreement import icc
from vesalius.evidence.figure import Figure, counted
from vesalius.evidence.multireader import Jackknifed, jackknifed_auc, jackknifed_means
from vesalius.readers.results.estimates import agreement, alone, pairs, shares
from vesalius.readers.results.readings import Reading, matrix, repeated

CONDITIONS = ("unaided", "aided")


def diagnosis_figures(readings: Sequence[Reading], readers: Sequence[int]) -> dict[str, Figure]:
    """Both conditions and their difference, paired over readers and cases, and agreement."""
    result: dict[str, Figure] = {}
    each = [matrix(readings, readers, _decided, aided)[0] for aided in (False, True)]
    sure = [matrix(readings, readers, score, aided)[0] for aided in (False, True)]
    _, cases = matrix(readings, readers, _decided, False)
    truth = np.array([one.truth == "yes" for one in cases])
    subjects = [one.owner for one in cases]
    owners = np.array(subjects)
    decided, scores = np.stack(each), np.stack(sure)
    positive, negative = int(truth.sum()), int((~truth).sum())
    figures: dict[str, tuple[Jackknifed, int, int]] = {
        "sensitivity": (jackknifed_means(decided[:, :, truth], owners[truth]), positive, positive),
        "specificity": (
            jackknifed_means(1 - decided[:, :, ~truth], owners[~truth]),
            negative,
            negative,
        ),
        "auc": (
            jackknifed_auc(scores, truth.astype(int), subjects),
            positive + negative,
            min(positive, negative),
        ),
    }
    for name, (figure, count, least) in figures.items():
        for condition, one in zip(CONDITIONS, shares(figure, count, least), strict=True):
            result[f"{condition}/{name}"] = one
        for reader, own in zip(readers, alone(figure), strict=True):
            for condition, one in zip(CONDITIONS, shares(own, count, least), strict=True):
                result[f"reader_{reader + 1}/{condition}/{name}"] = one
        for gap, p in pairs(figure, count).values():
            result[f"aided_minus_unaided/{name}"] = gap
            result[f"aided_minus_unaided/{name}_p"] = counted(p, "", count, "cases", "a p value")
    for condition, one_each, one_sure in zip(CONDITIONS, each, sure, strict=True):
        again = [one for one in readings if one.aided == (condition == "aided")]
        result |= agreement(condition, one_each, repeated(again, _decided), "nominal", subjects)
        result[f"agreement/{condition}/icc"] = icc(one_sure)
    return result


def score(one: Reading) -> float:
    """How sure a reader is of yes: 1 to 5, negative where the decision was no."""
    sure = float(one.content["confidence"])
    return sure if one.content["decision"] == "yes" else -sure


def _decided(one: Reading) -> float:
    return float(one.content["decision"] == "yes")
