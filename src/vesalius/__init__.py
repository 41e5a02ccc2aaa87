"""Vesalius makes labelled synthetic medical images and proves what they are worth."""

__version__ = "0.1.0"
