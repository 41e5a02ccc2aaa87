"""Whole volumes of any organ and modality: a 3D VQ-GAN and diffusion on its codes.

After Khader et al. 2023, "Denoising diffusion probabilistic models for 3D medical image generation"
(arXiv 2211.03364).
"""
