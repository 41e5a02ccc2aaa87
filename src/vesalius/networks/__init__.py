"""The trainable parts, one architecture a file."""
