"""The figures of the experiment of whole volumes as the documents show them."""

from __future__ import annotations

from collections.abc import Mapping

from vesalius.evidence.figure import Figure
from vesalius.evidence.results import Results
from vesalius.report.sections import figures_of, grid, shown
from vesalius.report.volumes_conclusions import conclusions, dice_by_fraction

CODES = {
    "codebook": "a VQ-GAN", "gaussian": "a KL autoencoder", "components": "block components"
}  # fmt: skip
"""What codes are made by, as it is printed."""

TABLE = {
    "held-out volumes through their codes, PSNR (dB)": "reconstruction/psnr",
    "the same, SSIM": "reconstruction/ssim",
    "share of codes in use": "reconstruction/codes_used",
    **{
        f"held-out volumes through {name}, PSNR (dB)": f"reconstruction_{kind}/psnr"
        for kind, name in CODES.items()
    },
    "Fréchet distance, generated": "fidelity/fid",
    **{
        f"Fréchet distance, generated on codes of {name}": f"fidelity/fid_{kind}"
        for kind, name in CODES.items()
    },
    "Fréchet distance, generated in 300 ancestral steps": "fidelity/fid_ddpm_300",
    "Fréchet distance, generated in 10 fast steps": "fidelity/fid_dpm_solver_2m_10",
    "Fréchet distance, real ones through their codes": "fidelity/fid_reconstructed",
    "the same, without detail": "fidelity/fid_codes",
    "Fréchet distance, real to real": "fidelity/fid_real_vs_real",
    "generated over real to real, Fréchet": "realism/frechet_ratio",
    "the same by a fixed filter bank": "realism/frechet_ratio_of_filters",
    "two-sample AUC, linear on pinned features": "realism/two_sample_auc_of_features",
    "the same by a small network": "realism/two_sample_auc",
    "power in the upper half of frequencies over that of real ones": "realism/power_ratio",
    "Fréchet radiomics distance, generated": "fidelity/frd",
    "Fréchet radiomics distance, real to real": "fidelity/frd_real_vs_real",
    "MS-SSIM of pairs, generated": "diversity/ms_ssim/synthetic",
    "MS-SSIM of pairs, real": "diversity/ms_ssim/real",
    "SSIM of neighbouring slices, generated": "slices/ssim/synthetic",
    "SSIM of neighbouring slices, real": "slices/ssim/real",
    "attribute asked for and measured, slope": "control/drawn/slope",
    "the same, R²": "control/drawn/r2",
    "attribute of unseen phantoms and measured, slope": "control/unseen/slope",
    "called copies": "memorisation/copies",
    "membership AUC": "memorisation/membership_auc",
    "gain of synthetic pre-training, Dice": "pretraining/primary/dice_gain",
    "gain of real pre-training, Dice": "pretraining/primary/real_gain",
    "gain of scrambled volumes, Dice": "pretraining/primary/scrambled_gain",
    "gain of noise, Dice": "pretraining/primary/noise_gain",
    "gain of longer training from scratch, Dice": "pretraining/primary/longer_gain",
}
"""Rows of the table in the documents."""


def volumes_table(results: Results) -> str:
    """The figures of the experiment as Markdown."""
    organs = list(results.notes)
    every = {organ: figures_of(results.figures, organ) for organ in organs}
    columns = {organ: f"{organ}/{{row}}" for organ in organs}
    lines = grid(results.figures, TABLE, columns).markdown
    for organ, own in every.items():
        dice = "; ".join(
            f"{100 * float(row['fraction']):g} %: scratch {shown(row['scratch'])}, synthetic "
            f"{shown(row['synthetic'])}, real {shown(row['real'])}"
            for row in dice_by_fraction(own)
        )
        lines += ["", f"Dice, {organ}, by share of {_labelled(results, organ)}: {dice}."]
        said = conclusions(organ, own, results.notes[organ])
        lines += [
            f"\n{line}" for line in said if any(part in line for part in ("pre-training", "it br"))
        ]
    minutes = ", ".join(f"{organ} {_seconds(own) / 60:.0f}" for organ, own in every.items())
    lines.append(
        f"\nIn brackets 95 % intervals; of Dice over {_units(results)}, which differ in labelled "
        f"cases, weights and order (two have none). One fit of the method, "
        f"seed {results.seed}. Minutes on {results.machine['cores']} cores: {minutes}."
    )
    return "\n".join(lines)


def _units(results: Results) -> str:
    """What n of a Dice counts; results of earlier versions count trainings."""
    found = (figure.counts for name, figure in results.figures.items() if name.endswith("/dice"))
    return next(filter(None, found), "trainings")


def _seconds(figures: Mapping[str, Figure]) -> float:
    """What all stages of one organ took; a volume's own pace is no stage."""
    return float(
        sum(
            f.value
            for key, f in figures.items()
            if key.startswith("seconds/") and "volume_" not in key
        )
    )


def _labelled(results: Results, organ: str) -> str:
    notes = results.notes[organ]
    return f"{notes['labelled_cases']} labelled cases ({', '.join(notes['targets'])})"
