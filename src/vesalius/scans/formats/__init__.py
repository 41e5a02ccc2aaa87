"""One reader for each kind of file: bounded, and with a refusal for whatever is wrong in it."""
