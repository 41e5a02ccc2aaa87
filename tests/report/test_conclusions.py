"""Sentences of the reports: what they say for each place where an interval may lie."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from vesalius.evidence.figure import Figure
from vesalius.report import (
    lumbar_conclusions,
    osteoarthritis_page,
    proof_conclusions,
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
    return proof_conclusions.conclusions(known | dict(figures))


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
        (_lumbar, "fidelity/herniation/voxelwise_trained_minus_repaint_long/fid",
         "with 10 network calls is farther from real findings than RePaint with 250",
         "is nearer to real findings than RePaint", "is not measurably different from RePaint"),
        (_volumes, "pretraining/primary/dice_gain", "synthetic volumes raises Dice",
         "synthetic volumes lowers Dice", "does not measurably change Dice"),
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


@pytest.mark.parametrize(
    ("said", "own", "gap", "rivals", "lower"),
    [
        (_proof, "utility/{}/volume_mae_ml", "utility/augmented_minus_{}/volume_mae_ml",
         proof_conclusions.RIVALS, True),
        (_lumbar, "fidelity/stenosis/{}/fid", "fidelity/stenosis/voxelwise_trained_minus_{}/fid",
         lumbar_conclusions.RIVALS, True),
        (_lumbar, "utility/{}/auc", "utility/augmented_minus_{}/auc",
         lumbar_conclusions.TRAININGS, False),
        (_volumes, "pretraining/primary/{}_gain", "pretraining/primary/synthetic_minus_{}",
         volumes_conclusions.RIVALS, False),
        (_robustness, "{}/pixel_precision", "dual_minus_{}/pixel_precision",
         robustness_page.RIVALS, False),
        (osteoarthritis_page.conclusions, "risk/{}/auc", "risk/extrapolation_minus_{}/auc",
         osteoarthritis_page.RANKING, False),
    ],
)  # fmt: skip
def test_every_rival_is_named_the_strongest_first_with_what_can_be_said(
    said: Callable[[Mapping[str, Figure]], list[str]], own: str, gap: str,
    rivals: Mapping[str, str], lower: bool,
) -> None:  # fmt: skip
    names = list(rivals)
    places = (BELOW, ABOVE, ACROSS)
    figures = {own.format(name): _figure(ABOVE, 0.1 * n) for n, name in enumerate(names)}
    figures |= {gap.format(name): _figure(places[n % 3]) for n, name in enumerate(names)}
    if said is _volumes:
        figures["pretraining/primary/dice_gain"] = _figure(ABOVE)
    text = " ".join(said(figures))
    strongest = names if lower else names[::-1]
    found = [text.index(rivals[name]) for name in strongest]
    assert found == sorted(found)
    better, worse = ("better than", "worse than")
    words = (better, worse) if lower else (worse, better)
    for n, name in enumerate(names):
        expected = (*words, "not better than")[n % 3]
        assert f"{expected} {rivals[name]}" in text


def test_a_loss_within_the_margin_is_no_worse() -> None:
    figures = {"standard/auc": _figure(None, 0.9),
               "dual_minus_standard/auc": _figure((-0.008, 0.004))}  # fmt: skip
    (line,) = _robustness(figures)
    assert "AUC on the same scanner, against its rival: no worse than ordinary training" in line


def test_a_control_that_gains_as_much_takes_the_credit_from_anatomy() -> None:
    figures = {
        "pretraining/primary/dice_gain": _figure(ABOVE),
        "pretraining/primary/noise_gain": _figure(ABOVE),
        "pretraining/primary/synthetic_minus_noise": _figure(ACROSS),
    }
    text = " ".join(_volumes(figures))
    assert "not better than pre-training on noise of the same histogram" in text
    assert "pre-training on noise brings as much, so anatomy is not what carries the gain" in text
    better = figures | {"pretraining/primary/synthetic_minus_noise": _figure(ABOVE)}
    assert "is not what carries the gain" not in " ".join(_volumes(better))


def test_copies_are_never_passed_over() -> None:
    text = " ".join(_proof({"memorisation/copies": Figure(2, "cases", 160)}))
    assert "calls 2 of 160 synthetic cases copies of a training case: do not release these" in text


def test_edited_training_cases_are_never_passed_over() -> None:
    figures = {"memorisation/copies": Figure(0, "cases", 30),
               "memorisation/edited": Figure(30, "cases", 30)}  # fmt: skip
    text = " ".join(_proof(figures))
    assert "calls 0 of 30 synthetic cases copies of a training case." in text
    assert "30 were edited from a training case" in text and "do not release these" in text
