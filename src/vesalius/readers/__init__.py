"""Reader studies: what people see in images, from a design to statistics.

`creating` makes a study out of a design and cohorts, `serving` shows it in the browser, `answers`
keeps what readers said, `results` tells what follows.
"""
