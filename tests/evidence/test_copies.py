"""The search for copies: planted ones are caught, other patients are not called copies."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from vesalius.evidence.alignment import AlignedSearch, detail
from vesalius.evidence.membership import membership_auc
from vesalius.evidence.memorisation import audit_similarity
from vesalius.evidence.patches import PatchSearch, audit_patches, reduced
from vesalius.phantoms.breast import draw_breast

Volumes = list[np.ndarray]
PLANTED = 3


def _noised(image: np.ndarray, share: float = 0.1) -> np.ndarray:
    std = share * np.ptp(np.percentile(image, [1, 99]))
    return image + np.random.default_rng(0).normal(0, std, image.shape)


CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "exact": lambda image: image,
    "shifted": lambda image: np.roll(image, (2, -1, 1), axis=(0, 1, 2)),
    "mirrored": lambda image: image[::-1].copy(),
    "noised": _noised,
    "other contrast": lambda image: ((image - image.min()) / np.ptp(image)) ** 1.6,
}


@pytest.fixture(scope="module")
def breasts() -> tuple[Volumes, Volumes, Volumes]:
    """Training, held-out and further patients."""

    def generated(first: int, count: int) -> Volumes:
        return [
            draw_breast(first + row, (32, 32, 32)).scan.channels[0].voxels for row in range(count)
        ]

    return generated(0, 80), generated(1000, 40), generated(2000, 40)


@pytest.fixture(scope="module")
def search(breasts: tuple[Volumes, Volumes, Volumes]) -> tuple[AlignedSearch, np.ndarray]:
    training, held_out, _ = breasts
    found = AlignedSearch([detail(image) for image in training])
    return found, found.similarity([detail(image) for image in held_out])


PIECES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "exact": lambda piece: piece,
    "noised": lambda piece: _noised(piece, 0.05),
    "brighter": lambda piece: 1.15 * piece + 20,
}


@pytest.mark.parametrize("change", PIECES)
def test_a_planted_piece_is_caught_and_other_patients_are_not(
    change: str, breasts: tuple[Volumes, Volumes, Volumes]
) -> None:
    training, held_out, others = breasts
    pieces = PatchSearch([reduced(one) for one in training[:40]])
    made = [host.astype(float) for host in others[:4]]
    for row in (1, 3):
        moved = made[row][7:25, 5:23, 8:26]  # one voxel from where the piece is in its source
        moved[:] = PIECES[change](training[row][6:24, 6:24, 8:26])
    found, baseline = (
        pieces.similarity([reduced(one) for one in volumes]) for volumes in (made, held_out[:20])
    )
    judged = audit_patches(found, baseline)
    assert judged.copies.tolist() == [False, True, False, True]
    assert judged.nearest[[1, 3]].tolist() == [1, 3]


@pytest.mark.parametrize("change", CHANGES)
def test_a_planted_copy_is_caught(
    change: str, breasts: tuple[Volumes, Volumes, Volumes],
    search: tuple[AlignedSearch, np.ndarray],
) -> None:  # fmt: skip
    made = [detail(CHANGES[change](image)) for image in breasts[0][:PLANTED]]
    judged = audit_similarity(search[0].similarity(made), search[1])
    assert judged.copies.all()
    assert judged.nearest.tolist() == list(range(PLANTED))


def test_at_most_one_in_twenty_other_patients_is_called_a_copy(
    breasts: tuple[Volumes, Volumes, Volumes], search: tuple[AlignedSearch, np.ndarray]
) -> None:
    clean = [detail(image) for image in breasts[2]]
    assert audit_similarity(search[0].similarity(clean), search[1]).copies.mean() <= 0.05


def test_copies_give_the_training_set_away(
    search: tuple[AlignedSearch, np.ndarray], breasts: tuple[Volumes, Volumes, Volumes]
) -> None:
    rng = np.random.default_rng(0)
    blind = membership_auc(rng.random((40, 10)), rng.random((40, 10)))
    assert blind.ci95 is not None and blind.ci95[0] < 0.5 < blind.ci95[1]
    reported = search[0].similarity([detail(image) for image in breasts[0][:12]])
    assert membership_auc(reported, search[1]).value > 0.95
