"""Answers of readers, kept in a database."""
