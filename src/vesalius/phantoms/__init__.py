"""Anatomy by construction, whose truth is known exactly."""
