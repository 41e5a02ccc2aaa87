"""What an edit did to a scan: context kept, a border without a seam, tissue where it belongs."""

from __future__ import annotations

import numpy as np

from vesalius.scans.volume import Volume


def context_error(before: Volume, after: Volume, free: np.ndarray) -> float:
    """Mean absolute change of voxels that were not free to change, in the image's units.

    Args:
        before, after: of one geometry.
        free: `(X, Y, Z)`, true where the map let the image change.

    >>> scan = Volume(np.zeros((2, 2, 2)), np.eye(4)); free = np.zeros((2, 2, 2), dtype=bool)
    >>> free[0, 0, 0] = True; changed = Volume(np.where(free, 5.0, 0.0), np.eye(4))
    >>> context_error(scan, changed, free)
    0.0
    """
    change = np.abs(after.voxels.astype(np.float64) - before.voxels)
    return float(change[~free].mean())


def seam(edited: np.ndarray, real: np.ndarray, blend: np.ndarray) -> float:
    """Steepness across the border of an edit over that of a real scan at the same border.

    Taken in the slice as the mean gradient where the blend rises; 1 is no seam at all.

    Args:
        edited, real: `(D, H, W)` of one place, the real one never edited.
        blend: `(D, H, W)`, 0 outside the edit, 1 well inside.

    >>> ramp = np.tile(np.arange(8.0), (1, 8, 1)); blend = np.zeros((1, 8, 8)); blend[..., 4] = 0.5
    >>> seam(ramp, ramp, blend)
    1.0
    """
    border = (blend > 0) & (blend < 1)
    steepness = [
        np.hypot(np.gradient(image, axis=1), np.gradient(image, axis=2))[border].mean()
        for image in (edited.astype(np.float64), real.astype(np.float64))
    ]
    return float(steepness[0] / max(steepness[1], 1e-9))
