"""Audit a synthetic cohort for copies, and prove what it is worth."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from html import escape
from pathlib import Path

from vesalius.anatomy.attributes import default_attributes
from vesalius.api.cohorts import Given, opened
from vesalius.api.console import bars
from vesalius.api.growing_page import GrowingPage
from vesalius.evidence.audit import Withheld
from vesalius.evidence.audit import audit as run_audit
from vesalius.evidence.copies import audit_rates
from vesalius.evidence.figure import Figure
from vesalius.evidence.results import Results
from vesalius.experiments.prove import ProveRecipe
from vesalius.experiments.prove import prove as run_prove
from vesalius.methods.pretraining.pipeline import Embedding
from vesalius.methods.segmentation.nnunet import NnunetRecipe
from vesalius.methods.segmentation.training import PRESETS, SegmenterRecipe
from vesalius.report.audit_page import write_audit_report
from vesalius.report.proof_page import Sources, write_proof_report
from vesalius.report.rendering import table_html
from vesalius.report.sections import figures_table
from vesalius.scans.output import require_apart
from vesalius.scans.progress import Progress


@dataclass(frozen=True)
class Audit:
    """The verdict on a synthetic cohort.

    Attributes
    ----------
    results
        as `results.json` holds them.
    withheld
        cases that should not be released, and what they copy.
    """

    results: Results
    withheld: tuple[Withheld, ...]

    @property
    def figures(self) -> Mapping[str, Figure]:
        """Every figure by its name."""
        return self.results.figures

    @property
    def rates(self) -> str:
        """What the audit finds and how often it errs, measured on phantoms."""
        return audit_rates()

    def report(self, path: str | Path) -> Path:
        """Write one self-contained page."""
        return write_audit_report(self.results, self.withheld, Path(path))

    def _repr_html_(self) -> str:
        listed = escape(", ".join(one.case for one in self.withheld)) or "none"
        return (
            f"<p>To withhold: {listed}. {self.rates}</p>{table_html(figures_table(self.figures))}"
        )


@dataclass(frozen=True)
class Proof:
    """What a synthetic cohort is worth.

    Attributes
    ----------
    results
        as `results.json` holds them.
    sources
        where the things lie that its page shows.
    """

    results: Results
    sources: Sources

    @property
    def figures(self) -> Mapping[str, Figure]:
        """Every figure by its name."""
        return self.results.figures

    @property
    def page(self) -> Path:
        """The page that lies beside `results.json`."""
        return self.sources.folder / "report.html"

    def report(self, path: str | Path) -> Path:
        """Write one self-contained page."""
        return write_proof_report(self.sources, Path(path))

    def _repr_html_(self) -> str:
        return table_html(figures_table(self.figures))


def audit(
    cohort: Given, synthetic: Given, holdout: Given | None = None, *,
    out: str | Path | None = None, pretrained: str | Path | None = None,
    progress: Progress | None = None,
) -> Audit:  # fmt: skip
    """Search a synthetic cohort for copies of training cases.

    Parameters
    ----------
    cohort
        real cases that the synthetic ones were made from.
    synthetic
        to be audited; any other program may have made it.
    holdout
        real cases that nothing was fitted on; those of split val and test if `None`.
    out
        folder of `results.json` and `withhold.csv`; they are not kept if `None`.
    pretrained
        run of a pre-training whose embedding is compared as well.
    progress
        called after each case; bars if `None`.

    Raises
    ------
    InputError
        for fewer than twelve held-out cases, or subjects that stand on both sides.
    """
    real, generated = opened(cohort), opened(synthetic)
    unseen = None if holdout is None else opened(holdout)
    embed = Embedding(pretrained, len(real.description.channels)).of if pretrained else None
    place = tempfile.TemporaryDirectory() if out is None else nullcontext(str(out))
    with place as folder, bars(progress) as report:
        result = run_audit(real, generated, unseen, folder, report, embed, [pretrained])
    return Audit(result.results, result.withheld)


def prove(
    cohort: Given, synthetic: Given, test: Given | None = None, *, out: str | Path | None = None,
    attribute: str | None = None, preset: str = "demo", seed: int = 0,
    segmenter: SegmenterRecipe | NnunetRecipe | None = None, progress: Progress | None = None,
    staged: Callable[[Path], None] | None = None,
) -> Proof:  # fmt: skip
    """Measure whether synthetic cases help: the same segmenter trained on five sets.

    Parameters
    ----------
    cohort
        real cases; those of split test are the test if none is given.
    synthetic
        of a run, or of anybody else's generator.
    test
        unseen real cases.
    out
        folder of everything that is made; a folder for temporary files if `None`. A proof
        that was killed is gone on with by the same call.
    attribute
        what is measured on predictions, such as `tumour_volume_ml`; the first that the
        cohort declares if `None`.
    preset
        size and steps of the segmenter: `smallest`, `demo`, `workstation`, `published`.
    seed
        of the training.
    segmenter
        another one than the preset's.
    progress
        called after each case and step; bars if `None`.
    staged
        called with the page whenever it was written anew: after the first stage, and after those
        that end half a minute or more later.

    Raises
    ------
    InputError
        if a subject stands on both sides, a test case is synthetic, or labels differ.
    """
    real, generated = opened(cohort, True), opened(synthetic, True)
    unseen = None if test is None else opened(test, True)
    folder = Path(tempfile.mkdtemp(prefix="vesalius-proof-")) if out is None else Path(out)
    require_apart(folder, *(one.folder for one in (real, generated, unseen) if one is not None))
    chosen = segmenter or PRESETS[preset]
    measured = attribute or default_attributes(real.description)[0]
    recipe = ProveRecipe(preset=preset, attribute=measured, seed=seed, segmenter=chosen)
    sources = Sources(folder, real.folder, generated.folder, folder, measured)
    finished = GrowingPage(partial(write_proof_report, sources), staged)
    with bars(progress) as report:
        results = run_prove(real, generated, unseen, folder, recipe, report, finished)
    write_proof_report(sources)
    return Proof(results, sources)


def nnunet(
    epochs: int | None = None, iterations: int | None = None, planner: str = "ExperimentPlanner",
    configuration: str = "3d_fullres",
) -> NnunetRecipe:  # fmt: skip
    """The real nnU-Net v2 as the segmenter of a proof.

    Parameters
    ----------
    epochs
        1000 if `None`.
    iterations
        in each epoch; 250 if `None`.
    planner
        such as `nnUNetPlannerResEncM`.
    configuration
        such as `3d_lowres`.
    """
    return NnunetRecipe(
        epochs=epochs or 1000, iterations=iterations or 250,
        validation_iterations=min(50, iterations or 50), planner=planner,
        configuration=configuration,
    )  # fmt: skip
