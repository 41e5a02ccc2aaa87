"""Cohorts as other programs keep them: nnU-Net, BIDS, DICOM."""
