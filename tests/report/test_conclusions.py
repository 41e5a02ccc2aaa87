"""Sentences of the reports: what they say for each place where an interval may lie."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from vesalius.evidence.figure import Figure
from vesalius.report import (
    lumbar_conclusions,
    osteoarthritis_page,
    proof_page,
    robustness_page,
    volumes_conclusions,
)

ABOVE, BELOW, ACROSS = (0.1, 0.4), (-0.4, -0.1), (-0.2, 0.3)
NOTES = {"primary_fraction": 0.05, "labelled_cases": 80, "fine_tuning_steps": 300}


def _figure(interval: tuple[float, float] | None, value: float | None = None) -> Figure:
    middle = sum(interval) / 2 if interval else 0.0
    return Figure(middle if value is None else value, "", 40, interval)


def _proof(figures: Mapping[str, Figure]) -> list[str]:
    known = {"utility/real/dice": _figure(ABOVE), "utility/real/volume_mae_ml": _figure(ABOVE)}
    return proof_page.conclusions(known | dict(figures))


def _lumbar(figures: Mapping[str, Figure]) -> list[str]:
    calls = {f"cost/{name}/network_calls": _figure(None, count)
             for name, count in (("voxelwise_trained", 10), ("repaint_long", 250))}  # fmt: skip
    return lumbar_conclusions.conclusions(calls | dict(figures))


def _volumes(figures: Mapping[str, Figure]) -> list[str]:
    return volumes_conclusions.conclusions("chest", figures, NOTES)


def _robustness(figures: Mapping[str, Figure]) -> list[str]:
    return robustness_page.conclusions("mri", figures)


@pytest.mark.parametrize(
    ("said", "figure", "above", "below", "across"),
    [
        (_proof, "utility/augmented_minus_real/volume_mae_ml", "cases raises the volume error",
         "cases lowers the volume error", "does not measurably change the volume error"),
        (_proof, "utility/augmented_minus_synthetic/volume_mae_ml", "Synthetic beats augmented",
         "", ""),
        (_lumbar, "fidelity/stenosis/voxelwise_trained_minus_repaint/fid",
         "Stenosis: voxelwise trained is farther from real findings than repaint",
         "nearer to real findings than repaint", "not measurably different from repaint"),
        (_lumbar, "fidelity/herniation/voxelwise_trained_minus_repaint_long/fid",
         "with 10 network calls is farther from real findings than RePaint with 250",
         "is nearer to real findings than RePaint", "is not measurably different from RePaint"),
        (_lumbar, "utility/augmented_minus_real/auc", "Inpainted cases raise the AUC",
         "Inpainted cases lower the AUC", "do not measurably change the AUC"),
        (_volumes, "pretraining/primary/dice_gain", "synthetic volumes raises Dice",
         "synthetic volumes lowers Dice", "does not measurably change Dice"),
        (_robustness, "dual_minus_standard/auc", "dual training answers better than standard",
         "answers worse than standard", "does not measurably differ from standard"),
        (_robustness, "dual_minus_standard/pointing_game", "point more at the disease",
         "point less at the disease", "point not measurably more at the disease"),
        (osteoarthritis_page.conclusions, "risk/extrapolation_minus_end_to_end/auc",
         "Extrapolation ranks patients better than", "ranks patients worse than",
         "does not measurably differ from the end-to-end classifier"),
        (osteoarthritis_page.conclusions, "future/extrapolation_minus_no_change/joint_space_mae_mm",
         "wrong by more than with no change", "wrong by less than with no change",
         "wrong by about as much as with no change"),
    ],
)  # fmt: skip
def test_a_sentence_says_where_the_interval_lies(
    said: Callable[[Mapping[str, Figure]], list[str]], figure: str, above: str, below: str,
    across: str,
) -> None:  # fmt: skip
    for interval, words in ((ABOVE, above), (BELOW, below), (ACROSS, across)):
        text = " ".join(said({figure: _figure(interval)}))
        assert words in text and bool(text) == bool(words)
        others = {above, below, across} - {words, ""}
        assert not any(other in text for other in others)
    assert said({figure: _figure(None)}) == []


def test_a_loss_within_the_margin_is_no_worse() -> None:
    figures = {"dual_minus_standard/auc": _figure((-0.008, 0.004))}
    assert "loses at most 0.01 AUC to standard training" in _robustness(figures)[0]


def test_a_control_that_gains_as_much_takes_the_credit_from_anatomy() -> None:
    figures = {
        "pretraining/primary/dice_gain": _figure(ABOVE),
        "pretraining/primary/noise_gain": _figure(ABOVE),
        "pretraining/primary/synthetic_minus_noise": _figure(ACROSS),
    }
    text = " ".join(_volumes(figures))
    assert "not measurably more than noise of the same histogram" in text
    assert "pre-training on noise brings as much, so anatomy is not what carries the gain" in text
    better = figures | {"pretraining/primary/synthetic_minus_noise": _figure(ABOVE)}
    assert "is not what carries the gain" not in " ".join(_volumes(better))


def test_rivals_that_point_as_well_are_named_the_strongest_first() -> None:
    figures = {
        f"{arm}/pointing_game": _figure(None, value)
        for arm, value in (("dual", 0.6), ("mean_mask", 0.7), ("adversarial", 0.5),
                           ("standard_integrated_gradients", 0.8))
    }  # fmt: skip
    (line,) = _robustness(figures)
    assert line.index("integrated gradients") < line.index("the mean mask")
    assert "adversarial training alone" not in line


def test_copies_are_never_passed_over() -> None:
    text = " ".join(_proof({"memorisation/copies": Figure(2, "cases", 160)}))
    assert "calls 2 of 160 synthetic cases copies of a training case: do not release these" in text


def test_edited_training_cases_are_never_passed_over() -> None:
    figures = {"memorisation/copies": Figure(0, "cases", 30),
               "memorisation/edited": Figure(30, "cases", 30)}  # fmt: skip
    text = " ".join(_proof(figures))
    assert "calls 0 of 30 synthetic cases copies of a training case." in text
    assert "30 were edited from a training case" in text and "do not release these" in text
