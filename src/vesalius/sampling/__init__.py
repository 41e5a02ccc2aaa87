"""Rejection sampling: ask, generate, measure, audit, accept or try again; once for all methods."""
