"""The front door: what one can do with a cohort, a run and what came of it.

Each function takes paths or what was opened of them, and each command is a few lines over one.
"""
