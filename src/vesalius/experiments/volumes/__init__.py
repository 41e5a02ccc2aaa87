"""The experiment of whole volumes: how near they are to real ones, and whether they teach."""
