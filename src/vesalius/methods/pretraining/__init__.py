"""Pre-training of a segmenter on volumes without labels."""
