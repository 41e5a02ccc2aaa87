"""`vesalius audit`: is anything copied?"""

from __future__ import annotations

from pathlib import Path

from vesalius.cli.telling import bars, console
from vesalius.scans.cohort import Cohort


def audit(
    real: Path,
    synthetic: Path,
    *,
    out: Path,
    holdout: Path | None = None,
    pretrained: Path | None = None,
    fail_on_copies: bool = False,
) -> None:
    """Is anything copied? Search a synthetic cohort for copies of training cases.

    Writes results.json and withhold.csv, the cases that should not be released.

    Parameters
    ----------
    real: Path
        The cohort that the synthetic one was made from.
    synthetic: Path
        The cohort to be audited; any other program may have made it.
    out: Path
        Folder of the verdict.
    holdout: Path
        Real scans that nothing was fitted on; those of split val and test without it.
    pretrained: Path
        Run of `vesalius pretrain` whose embedding is searched as well.
    fail_on_copies: bool
        End with code 3 if there is a copy, for pipelines.
    """
    from vesalius.protocols.audit import audit as run

    own, made = Cohort.open(real, labelled=False), Cohort.open(synthetic, labelled=False)
    unseen = Cohort.open(holdout, labelled=False) if holdout else None
    with bars() as progress:
        found = run(own, made, unseen, out, progress, pretrained)
    for name in ("copies", "false_alarms", "membership_auc"):
        figure = found.results.figures[f"memorisation/{name}"]
        console.print(f"{name:<16} {figure}  (n = {figure.n})")
    for case in found.withheld[:20]:
        console.print(
            f"withhold {case.case}: copies {case.training_case}, found by {case.found_by}, "
            f"likeness {case.likeness:.2f}"
        )
    console.print(f"{len(found.withheld)} to withhold: {out / 'withhold.csv'}")
    if found.withheld and fail_on_copies:
        raise SystemExit(3)
