"""Scans as others keep them, made a cohort: what lies there, how it is read, how it is written."""
