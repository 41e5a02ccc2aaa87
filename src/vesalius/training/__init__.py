"""Recipe, plan, loop and run folder: the one way anything is fitted."""
