"""Cohorts of phantoms on disk: the same seed gives the same bytes, in any number of processes.

`writing` is how any of them is written; a file each holds scans of an organ, pictures that show
findings, and patients who come again.
"""
