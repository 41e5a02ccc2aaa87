"""Attenuation of tissues in Hounsfield units at 120 kV.

Soft tissues, fat, lung and bone lie within the ranges that Lamba et al. 2014, "CT Hounsfield
numbers of soft tissues on unenhanced abdominal CT scans", and textbooks give; the attenuation of
water at the mean energy of such a beam, some 70 keV, is 0.0193 per mm (NIST, Hubbell and Seltzer
1995).
"""

from __future__ import annotations

HU = {
    "air": -1000.0, "lung": -860.0, "fat": -100.0, "skin": 20.0, "muscle": 52.0, "blood": 42.0,
    "myocardium": 48.0, "vessel": 40.0, "wall": 10.0, "cartilage": 95.0, "liver": 58.0,
    "spleen": 50.0, "stomach": 25.0, "marrow": 190.0, "cortex": 750.0, "disc": 80.0, "cord": 35.0,
    "nodule": 35.0, "ground_glass": -600.0, "calcium": 500.0,
}  # fmt: skip

WATER_PER_MM = 0.0193


def attenuation_per_mm(hounsfield: float) -> float:
    """Linear attenuation coefficient of a value in HU, for Beer and Lambert's law along rays.

    >>> attenuation_per_mm(0.0), attenuation_per_mm(-1000.0)
    (0.0193, 0.0)
    """
    return WATER_PER_MM * (1 + hounsfield / 1000)
