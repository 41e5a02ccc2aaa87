"""nnU-Net training on real cases and on cases that are generated while it trains."""

from pathlib import Path

FOLDER = Path(__file__).parent / "trainers"
"""What nnU-Net's `nnUNet_extTrainer` is set to."""
