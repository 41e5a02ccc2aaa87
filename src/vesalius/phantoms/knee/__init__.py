"""Phantom knees: their bones, their disease over the years, and radiographs of them."""
