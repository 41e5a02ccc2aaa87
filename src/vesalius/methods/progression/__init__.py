"""Progression: what a patient's image will look like, by extrapolation in a style-based space.

Way of the data: visits are read (`scans.visit_layouts`); a generator learns to draw such pictures
(`objectives`, `augmentation`).
"""
