"""Phantom chests in Hounsfield units.

`anatomy` draws an individual in numbers, `painting` is the grid that is painted on, `thorax` paints
wall and bones, `lungs` the lungs with vessels and airways, `mediastinum` heart and great vessels,
`nodules` what may grow in a lung, `phantom` puts a case together. `findings` are diseases that
radiographs show, `radiograph` projects a chest with them, `nodule_crops` shows one nodule close up.
"""
