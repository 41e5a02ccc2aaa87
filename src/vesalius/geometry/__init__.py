"""Deformations of volumes, and how one volume is registered to another."""
