"""Phantom lumbar spines in sagittal T2, each with its own healthy counterfactual.

`anatomy` draws an individual, `curve` lays its coordinates into the scanner's space, `canvas` is
painted on, `bones`, `canal` and `surroundings` paint, `findings` change what they paint, and
`phantom` puts a case together.
"""
