"""Experiments end to end: from cohorts to a results file, resumable at any point."""
