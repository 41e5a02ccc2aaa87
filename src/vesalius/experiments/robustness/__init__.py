"""The experiment of interpretable classifiers: accuracy, robustness, and where maps point.

`recipe` holds its settings, `experiment` goes through its stages, `discrimination` asks how well
each training tells, `routing` what an attacker does to it, `pointing` whether its maps show where.
"""
