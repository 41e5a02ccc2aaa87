"""The experiment of progression: risk and future pictures of knees against what became of them.

`recipe` holds its settings, `experiment` goes through its stages, `cohort` brings patients together
with their outcomes, `methods` foresees in every way that is compared, `risk` and `future` measure.
"""
