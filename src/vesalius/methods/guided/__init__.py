"""Guided synthesis: label maps steered by measured attributes, and images from label maps.

After Ruschke et al. 2024 (arXiv 2411.01351), rebuilt and extended: `recipe` holds the settings,
`model` the networks, `objectives` what each is fitted to, `method` what it reads and its parts,
`pipeline` the loaded run, and `sampling` how it is asked again until a case is as requested.
"""
