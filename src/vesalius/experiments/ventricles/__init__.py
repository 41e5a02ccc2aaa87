"""The experiment of guided synthesis: brains balanced by ventricular volume.

`recipe` holds its settings, `experiment` the order of things, `realism` tells generated brains from
unseen real ones.
"""
