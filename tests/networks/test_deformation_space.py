"""The deformation space: what is thin stays, and codes are those of the encoder."""

from __future__ import annotations

import numpy as np
import torch

from tests.networks.test_label_codes import spheres
from vesalius.networks.deformation_space import DeformationSpace, typical
from vesalius.networks.shape_space import ShapeSpace


def shells(count: int, seed: int = 0) -> np.ndarray:
    """Wavy shells one to two voxels thick around a ball: a cortex, so to speak."""
    rng = np.random.default_rng(seed)
    x, y, z = np.meshgrid(*[np.arange(24) - 11.5] * 3, indexing="ij")
    around, up = np.arctan2(y, x), np.arctan2(z, np.hypot(x, y))
    maps = []
    for _ in range(count):
        turn, radius = rng.uniform(0, 2 * np.pi), rng.uniform(6.5, 9.0)
        border = radius + 0.9 * np.cos(5 * around + turn) * np.cos(up)
        distance = np.sqrt(x**2 + y**2 + z**2)
        maps.append((distance < border).astype(np.uint8) + (distance < border - 1.5))
    return np.stack(maps)


def fitted(maps: np.ndarray, components: int) -> tuple[DeformationSpace, torch.Tensor]:
    space = DeformationSpace(labels=3, shape=maps.shape[1:], components=components)
    space.template.copy_(torch.from_numpy(typical(maps, maps, 3)))
    return space, space.fit(maps)


def test_unseen_shapes_come_back_and_codes_are_those_of_the_encoder() -> None:
    maps = spheres(30)
    space, codes = fitted(maps, 6)
    again, _ = space.encode(torch.from_numpy(maps[:5]))
    assert torch.allclose(codes[:5], again, atol=0.1)
    assert torch.allclose(codes.std(dim=0), torch.ones(6), atol=0.02)
    unseen = torch.from_numpy(spheres(6, seed=1))
    back = space.decode(space.encode(unseen)[0]).argmax(dim=1)
    for label, least in ((1, 0.8), (2, 0.8)):
        both = ((back == label) & (unseen == label)).sum()
        assert 2 * both / ((back == label).sum() + (unseen == label).sum()) > least


def test_a_thin_folded_sheet_keeps_its_volume_where_sums_of_distances_lose_it() -> None:
    maps = shells(16)
    space, codes = fitted(maps, 6)
    linear = ShapeSpace(labels=3, shape=(24, 24, 24), components=6)
    plain = linear.fit(maps)
    between = [own[:8].add(own[8:]).div(2) for own in (codes, plain)]
    volumes = [
        float((one.decode(code).argmax(dim=1) == 1).sum()) / (maps == 1).sum() * 2
        for one, code in zip((space, linear), between, strict=True)
    ]
    assert abs(volumes[0] - 1) < 0.15
    assert abs(volumes[0] - 1) < abs(volumes[1] - 1)


def test_weights_hold_every_label_to_its_share() -> None:
    maps = shells(12)
    space, codes = fitted(maps, 8)
    numbers = space.decode(codes).argmax(dim=1)
    for label in (1, 2):
        assert abs(float((numbers == label).sum()) / (maps == label).sum() - 1) < 0.1
