"""Settings of pathology inpainting, and its presets."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from vesalius.training.recipe import FitRecipe, Settings, once_called

Network = Literal["voxelwise", "ordinary", "concat"]


class MapRecipe(Settings):
    """The noise map around a landmark.

    Attributes:
        kind: `linear` is 1 within `core_mm` and falls to 0 at `reach_mm`; `gaussian` has the
            standard deviation `sigma_mm`.
        core_mm, reach_mm, sigma_mm: at severity 0.
        growth: how much wider the map is at severity 1, as a share.
        stretch: along right, anterior and superior; a disc is longer than it is tall.
        blend_mm: width over which the edit fades into the scan inside the map's border.
    """

    kind: Literal["linear", "gaussian"] = "linear"
    core_mm: float = 5.5
    reach_mm: float = 13.5
    sigma_mm: float = 6.0
    growth: float = 0.3
    stretch: tuple[float, float, float] = (1.1, 1.25, 1.0)
    blend_mm: float = 3.0


class InpaintingRecipe(Settings):
    """All settings of one fit.

    Attributes:
        method: tells this recipe from those of other methods.
        preset: the name this recipe started from.
        seed: of the fit.
        networks: `voxelwise` is the method; `ordinary`, of one noise level for all voxels, serves
            the variant without training on maps and the baselines; `concat` is told the masked
            source instead.
        crop_mm: around a landmark, what the networks see: right, anterior, superior. About lesions
            the largest of them decides.
        slices: neighbouring slices of a crop that one training step looks at, 0 for all.
        spacing_mm: of the crop; the cohort's own if `None`.
        widths, blocks, heads: of the denoiser.
        schedule: of noise.
        noise_texture: spread in the latent of what no network can predict.
        prior: error of a guess where most of a crop is known, and where nothing is; with it every
            level of noise counts alike in the loss.
        image_importance: of a channel of the image against one of the labels, in the loss. Labels
            need only be told apart.
        drop_condition: share of training cases whose condition is dropped.
        drop_size: share of them in which each size is kept from the network.
        guidance: scale of classifier-free guidance.
        calls: network calls of a sampler.
        sampler: by name.
        maps: shares of training steps with all voxels noised alike, with masks of zeros and ones,
            and the rest with soft maps.
        positive_share: share of crops with a finding in training.
        noise_map: used when cases are generated.
        lesions: labels of lesions of any organ, each a label or `name=label+label`; the findings
            of a spine if empty.
        hosts: labels of the organs that they lie in; those around the training lesions if empty.
        margin_mm: how far about a lesion anything may change.
        disc_mm: how far the map reaches about the disc of the level as well, which darkens and
            loses height with a finding; 0 leaves the disc out, but for what lies near the landmark.
        fewest: findings of a pathology below which it is not learnt.
        shared_steps: share of the steps in which all networks are still one, fitted without maps;
            each takes the rest by itself, so that all have the same number.
        fit: steps and the rest, of each network.
    """

    later: ClassVar[frozenset[str]] = frozenset({"disc_mm", "lesions", "hosts", "margin_mm"})

    method: Literal["inpainting"] = "inpainting"
    preset: str = "demo"
    seed: int = 0
    networks: tuple[Network, ...] = ("voxelwise",)
    crop_mm: tuple[float, float, float] = (35.2, 50.0, 50.0)
    slices: int = 4
    spacing_mm: tuple[float, float, float] | None = None
    widths: tuple[int, int] = (48, 96)
    blocks: int = 2
    heads: int = 0
    schedule: Literal["cosine", "linear_beta", "linear_flow"] = "cosine"
    noise_texture: float = once_called("grain", "noise_texture", 0.08)
    prior: tuple[float, float] = (0.3, 0.7)
    image_importance: float = 4.0
    drop_condition: float = 0.1
    drop_size: float = 0.1
    guidance: float = 1.5
    calls: int = 10
    sampler: Literal["ddim", "dpm_solver_2m", "heun"] = "dpm_solver_2m"
    maps: tuple[float, float] = (0.1, 0.2)
    positive_share: float = once_called("ill_share", "positive_share", 0.65)
    noise_map: MapRecipe = MapRecipe()
    lesions: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    margin_mm: float = Field(default=6.0, gt=0)
    disc_mm: float = Field(default=0.0, ge=0)
    fewest: int = 6
    shared_steps: float = 0.3
    fit: FitRecipe = FitRecipe(
        steps=2000, batch_size=8, learning_rate=3e-3, warmup_steps=50, moving_average=0.995
    )


PRESETS: dict[str, InpaintingRecipe] = {
    "smallest": InpaintingRecipe(
        preset="smallest", crop_mm=(32.0, 40.0, 40.0), disc_mm=8.0, slices=0, widths=(8, 8),
        blocks=1, heads=1, calls=3, fewest=1,
        fit=FitRecipe(steps=4, batch_size=2),
    ),
    "demo": InpaintingRecipe(crop_mm=(35.2, 64.0, 50.0), disc_mm=8.0),
    "workstation": InpaintingRecipe(
        preset="workstation", crop_mm=(35.2, 64.0, 50.0), disc_mm=8.0, widths=(96, 192), blocks=3,
        guidance=1.25, calls=50,
        fit=FitRecipe(steps=40_000, batch_size=16, learning_rate=3e-4, warmup_steps=500,
                      moving_average=0.999, validate_every=2000),
    ),
    "published": InpaintingRecipe(
        preset="published", crop_mm=(64.0, 80.0, 80.0), disc_mm=8.0, widths=(128, 320), blocks=4,
        guidance=1.25, calls=50,
        fit=FitRecipe(steps=150_000, batch_size=16, learning_rate=2e-4, warmup_steps=1000,
                      moving_average=0.9995, validate_every=5000),
    ),
}  # fmt: skip
"""`smallest` for tests, `demo` for CPU minutes, `workstation` a GPU, `published` for several."""
