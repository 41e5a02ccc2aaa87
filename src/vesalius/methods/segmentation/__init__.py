"""Segmentation: MONAI's networks, trained on real and synthetic cohorts alike."""
