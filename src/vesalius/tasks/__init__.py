"""USE: models trained on cohorts, real and synthetic alike."""
