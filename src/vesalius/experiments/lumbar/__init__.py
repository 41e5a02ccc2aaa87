"""The experiment of pathology inpainting, from phantoms to table.

`recipe` holds its settings, `experiment` the order of things, `edits` draws by every method,
`fidelity` and `utility` measure what it is worth.
"""
