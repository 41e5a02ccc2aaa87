"""`vesalius audit`: is anything copied?"""

from __future__ import annotations

from pathlib import Path

from vesalius.api.console import console


def audit(
    data: Path,
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
    data: Path
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
        End with code 3 if there is a case to withhold, for pipelines.
    """
    from vesalius.api.proving import audit as run_audit

    result = run_audit(data, synthetic, holdout, out=out, pretrained=pretrained)
    for name in ("copies", "edited", "false_alarms", "membership_auc"):
        figure = result.figures[f"memorisation/{name}"]
        console.print(f"{name:<16} {figure}  ({figure.size})")
    for one in result.withheld[:20]:
        console.print(one.reason)
    console.print(result.rates)
    console.print(f"{len(result.withheld)} to withhold: {out / 'withhold.csv'}")
    if result.withheld and fail_on_copies:
        raise SystemExit(3)
