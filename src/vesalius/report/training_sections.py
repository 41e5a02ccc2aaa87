"""What a proof tells beside its arms: nnU-Net on the same sets, and training with fewer steps."""

from __future__ import annotations

from collections.abc import Mapping

from vesalius.evidence.figure import Figure
from vesalius.report.sections import Section, grid, names, section


def arms_of(figures: Mapping[str, Figure]) -> list[str]:
    """The training sets of a proof."""
    return [name for name in names(figures, "utility/{}/dice") if "_minus_" not in name]


def volume_error(figures: Mapping[str, Figure]) -> tuple[str, str]:
    """The figure of the volume error, with its unit."""
    (ending,) = names(figures, "utility/real/volume_mae_{}")
    return f"volume_mae_{ending}", figures[f"utility/real/volume_mae_{ending}"].unit


def nnunet_section(figures: Mapping[str, Figure]) -> Section:
    """The same training sets given to nnU-Net, where that was done."""
    title = "The same, asked of nnU-Net v2"
    arms = [n for n in names(figures, "nnunet/utility/{}/dice") if "_minus_" not in n]
    if not arms:
        return section(title)
    volume, unit = volume_error(figures)
    columns = {
        "Dice": "nnunet/utility/{row}/dice",
        f"volume MAE ({unit})": f"nnunet/utility/{{row}}/{volume}",
        "MAE minus real, paired": f"nnunet/utility/{{row}}_minus_real/{volume}",
        "augmented minus it, paired": f"nnunet/utility/augmented_minus_{{row}}/{volume}",
    }  # fmt: skip
    rows = {arm.replace("_", " "): arm for arm in arms}
    return section(title, grid(figures, rows, columns, "trained on", "One training of each."))


def curve_section(figures: Mapping[str, Figure]) -> Section:
    """Fewer steps beside all of them, where that was done."""
    title = "Was it trained long enough?"
    arms = names(figures, "curve/{}/1/dice")
    if not arms:
        return section(title)
    volume, unit = volume_error(figures)
    shares = sorted({float(s) for arm in arms for s in names(figures, f"curve/{arm}/{{}}/dice")
                     if s != "last_steps"})  # fmt: skip
    columns = {
        f"{share:g} of the steps": f"curve/{{row}}/{share:g}/{volume}" for share in shares
    } | {"all minus the longest shorter, paired": f"curve/{{row}}/last_steps/{volume}"}
    note = (
        "The last column says what the last steps still changed, one training each. At a plateau "
        "its whole interval is small beside the error itself; that it holds zero is not enough."
    )
    rows = {arm.replace("_", " "): arm for arm in arms}
    return section(title, grid(figures, rows, columns, f"volume MAE ({unit})", note))
