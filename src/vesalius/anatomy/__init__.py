"""What is measured on label maps: volumes, heights, discs, the canal."""
