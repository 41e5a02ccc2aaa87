"""Whole volumes: codebook, critics, decoding in tiles, geometry and units of what is generated."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from tests.conftest import blobs
from vesalius.anatomy.attributes import case_value
from vesalius.api.generating import generate
from vesalius.diffusion.preconditioning import expected_error
from vesalius.diffusion.schedules import SCHEDULES
from vesalius.methods.volumes.code_denoiser import CodeDenoiser
from vesalius.methods.volumes.component_denoiser import SPREAD, ComponentDenoiser
from vesalius.methods.volumes.detail_denoiser import BLOCK, DetailDenoiser, sampled_detail
from vesalius.methods.volumes.fitting import VolumesData
from vesalius.methods.volumes.method import Volumes, reconstruction_of
from vesalius.methods.volumes.model import VolumesModel
from vesalius.methods.volumes.noise_texture import NoiseTexture
from vesalius.methods.volumes.objectives import (
    AutoencoderObjective,
    CodeObjective,
    DetailObjective,
)
from vesalius.methods.volumes.pipeline import (
    Sampling,
    VolumesPipeline,
)
from vesalius.methods.volumes.recipe import PRESETS, PUBLISHED_SHAPES
from vesalius.networks.block_transform import BlockTransform
from vesalius.networks.bottleneck import Codebook, Gaussian
from vesalius.networks.critics import frozen, patch_critic
from vesalius.networks.latent_denoiser import SpadeLatentDenoiser
from vesalius.networks.tiling import _tile, repeated
from vesalius.networks.volume_autoencoder import VolumeAutoencoder
from vesalius.networks.volume_denoiser import SliceAndDepthAttention, VolumeDenoiser
from vesalius.phantoms.cohorts.organs import write_gridded
from vesalius.scans.case import Scan
from vesalius.scans.cohort import Cohort
from vesalius.scans.input_error import InputError
from vesalius.scans.noise_texture import noise_texture
from vesalius.scans.volume import Volume
from vesalius.training.coding import Codes
from vesalius.training.fit import fit, prepare
from vesalius.training.plan import Plan, planned
from vesalius.training.run import Run
from vesalius.training.store import BlankStore, HeldStore, Layout


@pytest.fixture(scope="module")
def chests(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    """Ten phantom chests whose label maps were lost."""
    folder = tmp_path_factory.mktemp("chests") / "cohort"
    shutil.rmtree(write_gridded("chest", folder, 10, 0, (32, 28, 24)).folder / "labelsTr")
    return Cohort.open(folder, labelled=False)


@pytest.fixture(scope="module")
def run(chests: Cohort, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of the smallest preset that was told classes and volumes."""
    reported = ("nodule_malignant", "lung_volume_ml")
    recipe = PRESETS["smallest"].changed(attributes=reported)
    return fit(prepare(Volumes(), chests, recipe), tmp_path_factory.mktemp("run") / "run")


def test_codes_follow_the_vectors_and_none_stays_dead() -> None:
    torch.manual_seed(0)
    book = Codebook(channels=2, size=32, decay=0.9)
    middles = torch.randn(4, 2) * 5
    for _ in range(150):
        near = middles[torch.randint(4, (512,))] + 0.1 * torch.randn(512, 2)
        book(near.T.reshape(1, 2, 8, 8, 8))
    assert book.in_use == 1.0 and book.perplexity > 16
    gaps = (book.codes[:, None] - middles).norm(dim=2).min(dim=1).values
    assert float(gaps.max()) < 0.5


def test_gradients_pass_the_codebook_as_if_it_were_not_there() -> None:
    torch.manual_seed(0)
    book = Codebook(channels=2, size=8, commitment=0.0).eval()
    features = torch.randn(1, 2, 4, 4, 4, requires_grad=True)
    seen, _ = book(features)
    (seen * torch.arange(128.0).reshape(1, 2, 4, 4, 4)).sum().backward()
    assert features.grad is not None
    assert torch.equal(features.grad.flatten(), torch.arange(128.0))
    assert not torch.allclose(seen, features)


def test_a_held_critic_passes_gradients_and_learns_nothing() -> None:
    critic = patch_critic(3, 1, 4, 1)
    image = torch.rand(1, 1, 8, 8, 8, requires_grad=True)
    with frozen(critic):
        critic(image)[-1].sum().backward()
    assert image.grad is not None and float(image.grad.abs().sum()) > 0
    assert all(weight.grad is None for weight in critic.parameters())
    assert all(weight.requires_grad for weight in critic.parameters())


@pytest.mark.parametrize("downsampling", [(4, 4, 4), (8, 8, 4), (2, 4, 1)])
@pytest.mark.parametrize("kind", ["codebook", "gaussian"])
def test_tiles_decode_to_the_same_volume(downsampling: tuple[int, int, int], kind: str) -> None:
    torch.manual_seed(0)
    book = Codebook(3, 16) if kind == "codebook" else Gaussian(1e-3)
    widths = (8,) * (max(downsampling).bit_length() - 1)
    network = VolumeAutoencoder(2, 3, downsampling, widths, 1, book).eval()
    code = torch.randn(1, 3, 5, 7, 6)
    sizes: list[int] = []
    network.from_code.register_forward_pre_hook(lambda _, x: sizes.append(x[0][0, 0].numel()))
    with torch.no_grad():
        whole, tiled = network.decode(code), network.decode_in_tiles(code, tile=(2, 2, 2))
    assert tiled.shape[2:] == tuple(
        n * f for n, f in zip(code.shape[2:], downsampling, strict=True)
    )
    assert float((whole - tiled).abs().max()) < 1e-4
    image = torch.rand(1, 2, *tiled.shape[2:])
    with torch.no_grad():
        coded = network.encode(image), network.encode_in_tiles(image, tile=(2, 2, 2))
    assert float((coded[0] - coded[1]).abs().max()) < 1e-4
    assert sizes[0] == code[0, 0].numel()
    assert max(sizes[1:]) <= np.prod([2 + 2 * far for far in network.reach])


def test_tiles_repeat_at_most_half_of_the_work_where_a_quarter_of_the_whole_fits() -> None:
    sides, reach = (128, 128, 128), (9, 9, 9)
    tile = _tile(sides, reach, 1.0, 128**3 / 4)
    assert repeated(sides, tile, reach) <= 1.5
    assert _tile(sides, reach, 1.0, 1.0) == (8, 8, 8), "where nothing fits, the smallest"


def test_attention_in_slices_and_along_depth_is_that_of_a_plain_transformer() -> None:
    torch.manual_seed(0)
    layer = SliceAndDepthAttention(8, heads=2, depth_axis=0)
    for give in (layer.give_slice, layer.give_depth):
        torch.nn.init.normal_(give.weight, std=0.3)
    x = torch.randn(1, 8, 3, 4, 5)
    changed = x.clone()
    changed[:, :, 2, 0, 0] += 1.0
    moved = (layer(changed) - layer(x)).abs().sum(dim=1)[0]
    assert bool((moved > 1e-6).all()), "two steps reach every voxel"
    no_progress = SliceAndDepthAttention(8, heads=2, depth_axis=0)
    assert torch.allclose(no_progress(x), x)


def test_scaled_codes_lie_within_the_range_of_the_codebook() -> None:
    book = Codebook(2, 8)
    book.codes.copy_(torch.linspace(-3, 5, 16).reshape(8, 2))
    network = CodeDenoiser(VolumeDenoiser(2, (4, 4, 4), 0, (8,)), SCHEDULES["cosine"])
    codes = torch.randn(20, 2, 4, 4, 4).clamp(-2.9, 4.9)
    network.learn_scale(Codes(codes[:, None].numpy()), range(20), book)
    assert (float(network.low), float(network.high)) == (-3.0, 5.0)
    scaled = network.scaled(codes)
    assert float(scaled.std()) == pytest.approx(1, abs=0.01)
    assert torch.allclose(network.unscaled(scaled), codes, atol=1e-4)
    beyond = network.unscaled(1e3 * torch.ones(1, 2, 4, 4, 4))
    assert float(beyond.max()) == pytest.approx(5)


def test_the_autoencoder_learns_one_volume_by_heart() -> None:
    torch.manual_seed(0)
    network = VolumeAutoencoder(1, 4, (2, 2, 2), (16,), 1, Codebook(4, 64, decay=0.9))
    x = torch.linspace(0, 6, 16)
    image = 0.5 + 0.4 * torch.sin(x)[None, None, :, None, None] * torch.cos(x)
    image = image.expand(1, 1, 16, 16, 16).contiguous()
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(120):
        seen, loss, _ = network(image)
        total = functional.l1_loss(seen, image) + 0.1 * loss
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
    with torch.no_grad():
        back = network.eval().decode(network.encode(image))
    assert float((back - image).abs().mean()) < 0.04


def test_volumes_come_out_in_the_space_and_the_units_of_the_cohort(
    run: Run, chests: Cohort, tmp_path: Path
) -> None:
    made = generate(run, out=tmp_path / "drawn", count=2, seed=1).cohort
    first = made.read_images(made.cases[0]).channels[0]
    real = chests.read_images(chests.cases[0]).channels[0]
    assert first.shape == real.shape and np.allclose(first.affine, real.affine)
    seen = [chests.read_images(case).channels[0].voxels for case in chests.cases]
    assert first.voxels.min() >= np.min(seen) and first.voxels.max() <= np.max(seen)
    assert made.description.origin == "synthetic" and made.cases[0].synthetic
    assert made.cases[0].provenance()["run"] == run.name


def test_an_oblique_cohort_of_another_axis_order_keeps_its_space(tmp_path: Path) -> None:
    cohort = blobs(tmp_path / "c", 9, "LPS", tilt_degrees=20.0)
    recipe = PRESETS["smallest"]
    run = fit(prepare(Volumes(), cohort, recipe), tmp_path / "run")
    made = generate(run, out=tmp_path / "drawn", count=1).cohort
    generated, real = (c.read_images(c.cases[0]).channels[0] for c in (made, cohort))
    assert generated.orientation == real.orientation and generated.shape == real.shape
    assert np.allclose(generated.affine, real.affine, atol=1e-3)


def test_a_case_is_the_same_whatever_else_is_drawn(run: Run, tmp_path: Path) -> None:
    requested = [{"nodule_malignant": 1.0}, {"nodule_malignant": 0.0}, {}]
    few = generate(run, requested[:2], out=tmp_path / "few", seed=5).cohort
    many = generate(run, requested, out=tmp_path / "many", seed=5).cohort
    pairs = zip(few.cases, many.cases, strict=False)
    for a, b in pairs:
        one, other = few.read_images(a).channels[0], many.read_images(b).channels[0]
        assert np.array_equal(one.voxels, other.voxels)
    assert many.cases[0].attributes == {"requested_nodule_malignant": 1.0}
    assert many.cases[2].attributes == {}


class Threshold:
    """Labels whatever is brighter than water."""

    name = "threshold"

    def __init__(self) -> None:
        self.labels = {"background": 0, "lung_right": 1, "lung_left": 2}

    def segment(self, scan: Scan) -> Volume:
        image = scan.channels[0]
        return Volume((image.voxels > np.median(image.voxels)).astype(np.uint8), image.affine)


def test_a_labelled_loop_measures_what_was_drawn_and_lists_what_it_missed(
    run: Run, tmp_path: Path
) -> None:
    half = 360 * 290 * 288 / 2000
    seen = run.fingerprint.attribute("lung_volume_ml")
    requested = [{"lung_volume_ml": half}, {"lung_volume_ml": seen.low}, {}]
    found = generate(
        run, requested, out=tmp_path / "drawn", extrapolate=True, segmenter=Threshold(),
        tolerance=0.05, tries=2,
    )  # fmt: skip
    made, faults = found.cohort, found.faults
    assert [case.name for case in made.cases] == ["synthetic_0000", "synthetic_0002"]
    assert [fault.file for fault in faults] == ["synthetic_0001"]
    measured = made.cases[0].attributes["lung_volume_ml"]
    assert measured == pytest.approx(half, rel=0.05)
    assert made.cases[0].provenance()["measured"]["lung_volume_ml"] == pytest.approx(
        measured, rel=1e-4
    )
    assert case_value(made, "lung_volume_ml", made.cases[0]) == pytest.approx(measured)
    assert made.read(made.cases[0]).label_map.voxels.max() == 1


@pytest.mark.parametrize("sampler", ["ddpm", "ddim", "heun", "dpm_solver_2m"])
def test_every_sampler_draws(run: Run, sampler: str) -> None:
    pipeline = VolumesPipeline(run, Sampling(sampler, 3, 2.0))  # type: ignore[arg-type]
    first = pipeline.volume(0, {"nodule_malignant": 1.0}).channels[0].voxels
    assert np.isfinite(first).all() and first.std() > 0
    assert np.array_equal(first, pipeline.volume(0, {"nodule_malignant": 1.0}).channels[0].voxels)


def test_the_condition_reaches_the_denoiser(run: Run) -> None:
    pipeline = VolumesPipeline(run)
    torch.nn.init.normal_(pipeline.model.denoiser.network.conv_out.weight)
    for block in pipeline.model.denoiser.network.middle:
        torch.nn.init.normal_(block.second.weight)
    low, high = (pipeline.code(0, {"nodule_malignant": v}) for v in (0.0, 1.0))
    assert not torch.allclose(low, high)


def test_what_a_run_cannot_draw_is_refused(run: Run, chests: Cohort, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="outside the training range"):
        generate(run, [{"lung_volume_ml": 99_999.0}], out=tmp_path / "a")
    with pytest.raises(InputError, match="no attribute of this run"):
        generate(run, [{"age": 50.0}], out=tmp_path / "b")
    recipe = PRESETS["smallest"].changed(attributes=("age",))
    with pytest.raises(InputError, match="tells no age"):
        prepare(Volumes(), chests, recipe)


def test_diffusion_does_not_start_behind_a_poor_autoencoder(chests: Cohort, tmp_path: Path) -> None:
    recipe = PRESETS["smallest"].changed(least_psnr=60.0)
    with pytest.raises(InputError, match="at a mean PSNR"):
        fit(prepare(Volumes(), chests, recipe), tmp_path / "run")
    assert (tmp_path / "run/autoencoder.safetensors").is_file()
    assert not (tmp_path / "run/denoiser.safetensors").exists()


@pytest.mark.parametrize("preset", PUBLISHED_SHAPES)
def test_the_published_sizes_build_and_are_planned(preset: str, run: Run) -> None:
    shape = PUBLISHED_SHAPES[preset]
    fingerprint = run.fingerprint.changed(shape=shape, attributes=())
    model = VolumesModel(PRESETS[preset], fingerprint)
    factors = PRESETS[preset].downsampling
    assert model.code_shape == tuple(n // f for n, f in zip(shape, factors, strict=True))
    parts = Volumes().parts(VolumesData(PRESETS[preset], fingerprint, fitted=16))
    plan = Plan(tuple(planned(part) for part in parts), 0.0)
    assert [fit.part for fit in plan.fits] == ["autoencoder", "denoiser"]
    assert 1e9 < plan.peak_bytes < 120e9


def test_the_grain_that_came_back_too_smooth_is_found_and_put_back() -> None:
    rng = np.random.default_rng(0)
    ramp = np.broadcast_to(np.linspace(0, 1, 40), (1, 24, 24, 40)).astype(np.float32)
    std = 0.02 + 0.06 * ramp
    pairs = [(ramp + std * rng.normal(size=ramp.shape), ramp) for _ in range(3)]
    found = NoiseTexture.of(pairs, (0, 1))
    wanted = 0.02 + 0.06 * np.array(found.levels)
    assert np.allclose(found.spreads[0], wanted, rtol=0.15)
    generated = found.put_back(
        torch.from_numpy(ramp[None].copy()), torch.Generator().manual_seed(0)
    )
    again = NoiseTexture.of([(generated[0].numpy(), ramp)], (0, 1))
    assert np.allclose(again.spreads[0], found.spreads[0], rtol=0.2)


def test_a_run_without_grain_draws_smoother_volumes(chests: Cohort, tmp_path: Path) -> None:
    recipe = PRESETS["smallest"].changed(detail_widths=None)
    pipeline = VolumesPipeline(fit(prepare(Volumes(), chests, recipe), tmp_path / "run"))
    assert pipeline.noise_texture is not None and max(pipeline.noise_texture.spreads[0]) > 0
    with_noise_texture = pipeline.volume(3).channels[0].voxels
    pipeline.noise_texture = None
    without = pipeline.volume(3).channels[0].voxels
    assert (
        np.abs(np.diff(with_noise_texture, axis=0)).mean() > np.abs(np.diff(without, axis=0)).mean()
    )


def test_detail_is_learnt_given_what_a_code_decodes_to_and_has_the_noise_of_the_scan() -> None:
    rng = torch.Generator().manual_seed(0)
    coarse = torch.rand(6, 1, 4, 4, 4, generator=rng).repeat_interleave(8, 2)
    decoded = coarse.repeat_interleave(8, 3).repeat_interleave(8, 4)
    stripes = 0.2 * torch.cos(torch.pi * torch.arange(32.0)).expand(32, 32, 32)
    volumes = decoded + decoded * stripes + 0.02 * torch.randn(decoded.shape, generator=rng)
    network = SpadeLatentDenoiser(8, 1, BLOCK, (16, 16), 1, 2)
    denoiser = DetailDenoiser(network, 1, SCHEDULES["cosine"])
    noise = torch.full((6, 2), 0.02)
    denoiser.learn_scale((volumes - decoded)[:, None], noise)
    recipe = PRESETS["smallest"].changed(detail_crop=16)
    objective = DetailObjective(
        denoiser, Codes(decoded.numpy()[:, None]), HeldStore(volumes),
        denoiser.noise.standardised(noise), recipe,
    )  # fmt: skip
    steps = torch.optim.AdamW(objective.parameters(), 3e-3)
    losses = []
    for _ in range(60):
        rows = torch.randint(6, (2,), generator=rng)
        loss = objective(objective.batch(rows, rng), rng)
        steps.zero_grad()
        loss.backward()
        steps.step()
        losses.append(float(loss))
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:5])
    with torch.no_grad():
        made = decoded[:1] + sampled_detail(denoiser.eval(), decoded[:1], 12, rng)
    own = (made - decoded[:1])[0, 0]
    assert np.corrcoef(own.flatten(), (volumes - decoded)[0, 0].flatten())[0, 1] > 0.9
    inner = np.ones((32, 32, 32), dtype=bool)
    assert 0.01 < noise_texture((own - (decoded[0, 0] * stripes)).numpy(), inner) < 0.05


def test_the_detail_of_a_case_hangs_on_its_seed_alone(run: Run) -> None:
    assert (run.folder / "detail.safetensors").exists() and not run.has_note("grain")
    pipeline = VolumesPipeline(run)
    scaled = np.random.default_rng(0).random((32, 28, 24), dtype=np.float32)
    first, again, other = (pipeline.reconstructed(scaled, seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_critics_and_autoencoder_are_clipped_each_alone() -> None:
    store = BlankStore(Layout(1, (16, 16, 16)))
    recipe = PRESETS["smallest"].changed(critics_from=0)
    network = VolumeAutoencoder(1, 4, (4, 4, 4), (8, 8), 1, Codebook(4, 16))
    objective = AutoencoderObjective(network, store, recipe, None)
    groups = objective.clipped_apart()
    own = {id(weight) for weight in network.parameters()}
    assert {id(weight) for weight in groups[0]} == own
    assert not own & {id(weight) for weight in groups[1]}
    every = {id(weight) for weight in objective.parameters()}
    assert {id(weight) for group in groups for weight in group} == every


def test_components_of_blocks_are_found_without_steps_and_lose_the_least(
    chests: Cohort, tmp_path: Path
) -> None:
    psnr = {}
    for channels in (4, 16, 64):
        recipe = Volumes().recipe(preset="smallest", bottleneck="components")
        assert recipe.code_channels == PRESETS["smallest"].code_channels  # detail adds the rest
        ready = prepare(Volumes(), chests, recipe.changed(code_channels=channels))
        assert [one.part for one in ready.plan.fits] == ["denoiser", "detail"]
        own = fit(ready, tmp_path / str(channels))
        psnr[channels] = float(np.mean(reconstruction_of(own).psnr))
    assert psnr[4] < psnr[16] < psnr[64] and psnr[64] > 100
    pipeline = VolumesPipeline(Run.open(tmp_path / "16", type(recipe)))
    drawn = pipeline.volume(3)
    assert np.isfinite(drawn.channels[0].voxels).all()
    assert drawn.channels[0].shape == chests.read_images(chests.cases[0]).channels[0].shape
    encoder, denoiser = pipeline.model.autoencoder, pipeline.model.denoiser
    assert isinstance(denoiser, ComponentDenoiser)
    shares = denoiser.share.flatten()
    assert (shares.diff() <= 0).all() and shares[0] > 2 * shares[-1]  # coarse ones count most
    assert shares.square().mean().sqrt() == pytest.approx(0.5)
    few = VolumesPipeline(Run.open(tmp_path / "4", type(recipe))).model
    assert isinstance(few.denoiser, ComponentDenoiser)  # of four all are structure, none is noise
    assert few.denoiser.noise < 0.5 * few.denoiser.share.min()
    assert few.autoencoder.least_std == pytest.approx(float(encoder.least_std), rel=1e-3)
    code = encoder.encode(torch.rand(1, 1, 32, 28, 24))
    again = encoder.encode(encoder.decode(code))
    assert torch.allclose(again, code, atol=1e-2 * float(code.abs().max()))


def test_a_block_holds_no_more_channels_than_voxels() -> None:
    with pytest.raises(ValueError, match="8 voxels, fewer than 9"):
        BlockTransform(1, 9, (2, 2, 2))


def test_volumes_are_learnt_from_either_side(chests: Cohort, tmp_path: Path) -> None:
    recipe = Volumes().recipe(preset="smallest", bottleneck="components", mirror=True)
    assert recipe.digest != recipe.changed(mirror=False).digest
    kept = {}

    class Seen(CodeObjective):
        def __init__(self, network: CodeDenoiser, codes: Codes, *rest: object) -> None:
            kept["codes"] = codes
            super().__init__(network, codes, *rest)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vesalius.methods.volumes.fitting.CodeObjective", Seen)
        run = fit(prepare(Volumes(), chests, recipe), tmp_path / "run")
    plain, exchanged = kept["codes"].taken(torch.tensor([0]))
    decode = VolumesPipeline(run).model.autoencoder.decode
    assert torch.allclose(decode(plain).flip(2), decode(exchanged), atol=0.2)
    assert not torch.allclose(decode(plain), decode(exchanged), atol=0.2)


def test_a_setting_that_came_later_leaves_earlier_runs_their_names() -> None:
    recipe = PRESETS["brain_mri"]
    assert {"mirror", "detail_widths"} <= recipe.later
    text = json.dumps(recipe.dumped(exclude=set(recipe.later)), sort_keys=True)
    assert recipe.digest == hashlib.sha256(text.encode()).hexdigest()[:12]


def test_errors_of_fine_components_count_before_little_noise_is_left() -> None:
    denoiser = ComponentDenoiser(VolumeDenoiser(2, (2, 2, 2), 0, (8,), 1), SCHEDULES["cosine"], 2)
    denoiser.learn_shares(torch.tensor([1.0, 0.01]), torch.tensor(1e-3))
    spread = denoiser.own_spread().flatten()
    coarse, fine = (float(one) for one in denoiser.share.flatten())
    assert fine < float(spread[1]) < SPREAD < float(spread[0]) < coarse
    level, cosine = torch.tensor([0.9]), SCHEDULES["cosine"]
    fair = expected_error(level, denoiser.share, cosine, denoiser.own_spread(), 0.0).flatten()
    flat = expected_error(level, denoiser.share, cosine, SPREAD, 0.0).flatten()
    missing = torch.tensor([coarse, fine]).square()  # of a guess that has neither
    assert float((missing / fair)[1]) > 20 * float((missing / flat)[1])
    assert float((missing / fair)[0]) > float((missing / fair)[1])  # the shape still comes first
