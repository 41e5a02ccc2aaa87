"""MAKE: the methods that learn a cohort and draw new cases from it."""
