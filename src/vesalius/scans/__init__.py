"""Volumes, cases and cohorts: what a scan is, and how it is read, checked and written."""
