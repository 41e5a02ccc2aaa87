"""PROVE: what cohorts and predictions are worth, every figure with its uncertainty."""
