"""The workbench: one's own cohorts and runs in the browser, on this machine.

`opened` says what lies at the paths that were given, `looking` what is shown of a cohort, `making`
what a run can be asked for, `jobs` does long work one after the other and survives a restart,
`keeping` writes what is good as a cohort, `app` answers the browser and `pages` are what it shows.
"""
