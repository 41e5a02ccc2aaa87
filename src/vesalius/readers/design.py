"""The design of a study as a YAML file: what is shown, what is asked, of how many readers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from vesalius.scans.formats.yaml_file import read_yaml
from vesalius.scans.input_error import InputError
from vesalius.training.recipe import Settings

Language = Literal["en", "de"]
Kind = Literal["realism", "saliency", "diagnosis"]


class Window(Settings):
    """A preset of the viewer in the image's own units.

    Attributes:
        name: that is shown.
        low, high: values that are black and white.
    """

    name: str = Field(min_length=1, max_length=40)
    low: float
    high: float


class _Design(Settings):
    """What all designs share.

    Attributes:
        title: of the study, shown to readers.
        seed: of the choice of cases and of every order.
        readers: how many personal links are made.
        language: in which pages open; readers may change it.
        practice: cases shown first, whose answers do not count.
        repeats: cases that are shown a second time, for agreement of a reader with themselves.
        span: values that are black and white, in the images' units; percentiles without it.
        windows: presets of the viewer.
        phantoms: whether what is shown rests on phantoms; cohorts of phantoms tell it by
            themselves, generated ones and overlays do not.
    """

    title: str = Field(min_length=1, max_length=200)
    seed: int = Field(default=0, ge=0, le=2**62)
    readers: int = Field(default=2, ge=1, le=200)
    language: Language = "en"
    practice: int = Field(default=2, ge=0, le=10_000)
    repeats: int = Field(default=0, ge=0, le=10_000)
    span: tuple[float, float] | None = None
    windows: tuple[Window, ...] = ()
    phantoms: bool = False


class Source(Settings):
    """Cases of one origin.

    Attributes:
        cohort: folder.
        origin: what readers are to tell.
        cases: how many are selected; all without it.
        split: only cases of this split.
    """

    cohort: Path
    origin: Literal["real", "synthetic"]
    cases: int | None = Field(default=None, ge=1)
    split: str = ""


class RealismDesign(_Design):
    """Real or synthetic? With ratings of appearance, anatomy and consistency, 1 to 5.

    After Khader et al. 2023 ("Denoising diffusion probabilistic models for 3D medical image
    generation"), where two readers rated generated volumes.

    Attributes:
        sources: of real and of synthetic cases.
    """

    design: Literal["realism"]
    sources: tuple[Source, ...] = Field(min_length=1)


class SaliencyDesign(_Design):
    """How useful are maps? Those of several methods side by side, without names, rated 0 to 5.

    After Han et al. 2021 ("Advancing diagnostic performance and clinical usability of neural
    networks via adversarial training and dual batch normalization"), where six readers did so.

    Attributes:
        methods: by name, a folder of overlays each: what `vesalius explain` has written.
        cases: how many overlays are selected of those that every method has; all without it.
    """

    design: Literal["saliency"]
    methods: dict[str, Path] = Field(min_length=2, max_length=6)
    cases: int | None = Field(default=None, ge=1)


class DiagnosisDesign(_Design):
    """A decision and its confidence, with and without an aid, in two sessions.

    After Han et al. 2021 ("Predicting osteoarthritis progression in radiographs via unsupervised
    representation learning"), where seven readers judged with and without synthetic follow-ups.
    In each session every case is shown; in the first, half of the readers see one half of the cases
    with the aid, the others the other half; after the washout it is the other way round.

    Attributes:
        question: that is decided, in each language.
        cohort: of the cases.
        truth: column of `cases.csv`, 1 for yes and 0 for no.
        aid: folder with one picture a case, `NAME.png`, `NAME_….png` or the same as `.nii.gz`.
        cases: how many are selected, half of them yes where there are as many; all without it.
        split: only cases of this split.
        washout_days: between both sessions.
    """

    design: Literal["diagnosis"]
    question: dict[Language, str] = Field(min_length=1)
    cohort: Path
    truth: str
    aid: Path
    cases: int | None = Field(default=None, ge=2)
    split: str = ""
    washout_days: float = Field(default=28.0, ge=0, le=3650)


Design = RealismDesign | SaliencyDesign | DiagnosisDesign
ANY_DESIGN: TypeAdapter[Design] = TypeAdapter(Annotated[Design, Field(discriminator="design")])


def read_design(path: str | Path) -> Design:
    """Read a design; folders in it are taken from where the file lies.

    Raises:
        InputError: naming the entry that is wrong.

    >>> import tempfile; file = Path(tempfile.mkdtemp()) / "design.yaml"
    >>> _ = file.write_text("design: realism\\ntitle: x\\nsources: []\\n")
    >>> read_design(file)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    vesalius.scans.input_error.InputError: ...design.yaml: sources: Tuple should have at least 1...
    """
    path = Path(path)
    content = read_yaml(path, "design")
    try:
        result = ANY_DESIGN.validate_python(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"][1:]) or "design"
        raise InputError(path, f"{place}: {first['msg']}", "correct the entry") from error
    return _from(path.parent, result)


def _from(folder: Path, design: Design) -> Design:
    """The same with folders told from where the file lies."""
    if isinstance(design, RealismDesign):
        moved = tuple(
            one.model_copy(update={"cohort": folder / one.cohort}) for one in design.sources
        )
        return design.model_copy(update={"sources": moved})
    if isinstance(design, SaliencyDesign):
        methods = {name: folder / one for name, one in design.methods.items()}
        return design.model_copy(update={"methods": methods})
    return design.model_copy(update={"cohort": folder / design.cohort, "aid": folder / design.aid})
