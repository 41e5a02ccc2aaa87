"""Guided synthesis: label maps steered by measured attributes, and images from label maps.

After Ruschke et al. 2024 (arXiv 2411.01351), rebuilt and extended: `recipe` holds the settings,
`model` the networks, `objectives` what each is fitted to, `method` what it reads and its parts,
`drawing` one case from a seed, and `closed_loop` a cohort from requests.
"""
