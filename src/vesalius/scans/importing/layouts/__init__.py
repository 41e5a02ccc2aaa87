"""Every layout that is known, in the order in which they are tried."""

from __future__ import annotations

from vesalius.scans.importing.found import Layout
from vesalius.scans.importing.layouts.bids import BIDS
from vesalius.scans.importing.layouts.decathlon import DECATHLON
from vesalius.scans.importing.layouts.dicom import DICOM
from vesalius.scans.importing.layouts.dicom_sets import DICOM_SETS
from vesalius.scans.importing.layouts.nifti_sets import NIFTI_SETS
from vesalius.scans.importing.layouts.nnunet import NNUNET
from vesalius.scans.importing.layouts.patterns import FILE, PATTERNS
from vesalius.scans.importing.layouts.pictures import PICTURES

LAYOUTS: dict[str, Layout] = {
    layout.name: layout
    for layout in (
        NNUNET,
        DECATHLON,
        *NIFTI_SETS,
        *PICTURES,
        BIDS,
        *DICOM_SETS,
        FILE,
        DICOM,
        PATTERNS,
    )
}
"""By name. Data sets come before the formats they are kept in."""
