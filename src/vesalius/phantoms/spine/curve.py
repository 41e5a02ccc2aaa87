"""Coordinates along the spine: a curve in the sagittal plane and the distance from it.

`s` runs upwards along the back wall of the vertebrae, `v` forwards from it, `u` to the right.
"""

from __future__ import annotations

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.spatial import cKDTree

from vesalius.phantoms.spine.anatomy import SpineAnatomy

STEP_MM = 0.4


class SpineCurve:
    """The curve of one individual, laid so that the middle of L3 lies at the origin.

    >>> from vesalius.phantoms.spine.anatomy import draw_anatomy
    >>> curve = SpineCurve(draw_anatomy(np.random.default_rng(0)))
    >>> y, z = curve.point(np.array([-20.0]), np.array([5.0]))
    >>> v, s = curve.coordinates(y, z)
    >>> bool(abs(s[0] + 20) < 0.3 and abs(v[0] - 5) < 0.3)
    True
    """

    def __init__(self, anatomy: SpineAnatomy) -> None:
        low, high = anatomy.knots[-1] - 120, anatomy.knots[0] + 120
        self.s = np.arange(low, high, STEP_MM)
        order = np.argsort(anatomy.knots)
        tilt_angle = PchipInterpolator(anatomy.knots[order], anatomy.tilts[order])
        tilt = np.deg2rad(tilt_angle(np.clip(self.s, anatomy.knots[-1], anatomy.knots[0])))
        self.along = np.stack([np.sin(tilt), np.cos(tilt)], axis=1)
        path = np.cumsum(self.along * STEP_MM, axis=0)
        self.path = path - path[np.argmin(np.abs(self.s))]
        self.forward = np.stack([np.cos(tilt), -np.sin(tilt)], axis=1)
        self._tree = cKDTree(self.path)
        self._sideways = anatomy.sideways

    def coordinates(self, y: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """`v` and `s` of points given in mm, in arrays of any one shape."""
        points = np.stack([y.ravel(), z.ravel()], axis=1)
        _, near = self._tree.query(points)
        offset = points - self.path[near]
        v = (offset * self.forward[near]).sum(axis=1)
        s = self.s[near] + (offset * self.along[near]).sum(axis=1)
        return v.reshape(y.shape).astype(np.float32), s.reshape(y.shape).astype(np.float32)

    def point(self, s: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """`y` and `z` in mm of positions along the spine and distances from it."""
        y = np.interp(s, self.s, self.path[:, 0]) + v * np.interp(s, self.s, self.forward[:, 0])
        z = np.interp(s, self.s, self.path[:, 1]) + v * np.interp(s, self.s, self.forward[:, 1])
        return y, z

    def lateral(self, s: np.ndarray) -> np.ndarray:
        """How far the spine lies to the right at `s`: a mild scoliosis."""
        amplitude, phase = self._sideways
        return amplitude * np.sin(2 * np.pi * s / 300 + phase)
