"""Tests on a pretend GPU."""
