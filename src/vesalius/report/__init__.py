"""A results file and the cohorts beside it become pages and pictures."""
