"""Noise schedules, samplers and guidance: pure functions on tensors, over any denoiser."""
