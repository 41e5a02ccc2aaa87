"""What a proof allows to be said of all its arms, and what limits it, in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vesalius.evidence.copies import audit_verdict
from vesalius.evidence.figure import Figure
from vesalius.report.rivals import against_rivals, rivals_of
from vesalius.report.training_sections import arms_of, volume_error

RIVALS = {
    "real": "training on real cases as they come",
    "resampled": "training on resampled real cases",
    "deformed": "training on real cases, turned, scaled and bent",
    "synthseg_style": "training on real label maps with random contrast",
    "synthetic": "training on synthetic cases alone",
    "label_noise": "training on synthetic label maps filled with noise",
    "augmented_resampled": "training on resampled real and synthetic cases",
}
"""What training on real and synthetic cases is held against."""
WITHOUT_SYNTHETIC = ("real", "resampled", "deformed", "synthseg_style")

LABEL_KINDS = {
    "shape_space": "linear shape space", "deformation": "deformation space of one template",
    "vae": "convolutional VAE",
}  # fmt: skip


def conclusions(figures: Mapping[str, Figure]) -> list[str]:
    """What the intervals allow to be said, in sentences; nothing where there is no figure."""
    said: list[str] = []
    arms = arms_of(figures)
    volume, unit = volume_error(figures) if arms else ("", "")
    rivals = rivals_of(
        figures, f"utility/{{}}/{volume}", f"utility/augmented_minus_{{}}/{volume}", RIVALS
    )
    said += against_rivals(
        "Training on real and synthetic cases", f"error on unseen cases in {unit}",
        figures.get(f"utility/augmented/{volume}"), rivals, lower=True,
    )  # fmt: skip
    copies = audit_verdict(figures)
    if copies:
        said.append(copies)
    real, generated = figures.get("diversity/real"), figures.get("diversity/synthetic")
    if real and generated:
        less = generated.value > real.value
        said.append(
            f"Synthetic pairs are {'more' if less else 'less'} alike ({generated.value:.3f} "
            f"MS-SSIM) than real pairs ({real.value:.3f})."
        )
    between, real_vs_real = figures.get("fidelity/frd"), figures.get("fidelity/frd_real_vs_real")
    if between and real_vs_real:
        said.append(
            f"Fréchet radiomics distance to real scans is {between.value:.3g}, between two "
            f"halves of the real scans {real_vs_real.value:.3g} (n = {between.n} each)."
        )
    return said


def limits(notes: Mapping[str, Any], seed: int, phantoms: bool) -> list[str]:
    """What must be known of a proof, in sentences.

    Args:
        notes: of its results.
        seed: of the training.
        phantoms: whether it rests on them.
    """
    said = []
    if phantoms:
        said.append(
            "Phantoms are smoother and more alike than patients, their labels are exact, and "
            "lesions are absent."
        )
    said += [
        *(
            []
            if max(notes.get("trainings", {"": 1}).values()) > 1
            else [
                "Intervals cover the choice of test cases, not of training seeds: each arm was "
                f"trained once (seed {seed})."
            ]
        ),
        "“Synthseg style” is this program’s own generator of random contrasts, not the published "
        "network.",
    ]
    if notes.get("extrapolated"):
        low, high = notes["seen_ml"]
        said.append(
            f"Requests up to {max(notes['extrapolated'])} lie outside the training range "
            f"({low:.0f} to {high:.0f} mL)."
        )
    if "label_autoencoder" in notes:
        said.append(
            f"Label maps come from a {LABEL_KINDS[notes['label_autoencoder']]}, fitted here from "
            "nothing; no starter weights were used."
        )
        if notes["label_autoencoder"] == "deformation":
            said.append(
                "First draws are moved until they measure what was requested, so their slope and "
                "R² are near 1 by construction; the uncalibrated ones are not moved. A structure "
                "that the template lacks is in no synthetic case."
            )
    if "fidelity_left_out" in notes:
        said.append(f"Fréchet radiomics distance left out: {notes['fidelity_left_out']}.")
    return [*said, "Copied pieces of less than half the sides are mostly missed by the audit."]
