"""Pathology inpainting: a finding set into a healthy scan, image and label, the rest untouched.

After Hansen et al. 2024 (arXiv 2406.02477), rebuilt from its description and extended to volumes,
labels and measured size: `recipe` holds the settings, `seen` what a cohort shows of pathologies,
`latent` is what the networks see, `model` holds them, `objectives` fits them, `fitting` is the
order of things, `methods` draws by one method or another, `editing` puts the result back into the
scan, and `closed_loop` asks, measures and asks again.
"""
