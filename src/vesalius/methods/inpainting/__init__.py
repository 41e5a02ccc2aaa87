"""Pathology inpainting: a finding set into a healthy scan, image and label, the rest untouched.

After Hansen et al. 2024 (arXiv 2406.02477), rebuilt from its description and extended to volumes,
labels and measured size: `recipe` holds the settings, `seen` what a cohort shows of pathologies,
`marked_crops` finds where to look, `latent` and `conditioning` are what the networks see, `model`
holds them, `objectives` fits them, `method` is what is read and its parts, `methods` draws by one
sampler or another, `editing` puts the result back into the scan, `pipeline` is the loaded run,
`sampling` asks it again until a finding is as requested, `balancing` says what a cohort lacks.
"""
