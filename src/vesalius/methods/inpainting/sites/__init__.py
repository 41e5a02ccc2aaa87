"""Where findings lie: levels of the spine, or organs that lesions grow in."""

from vesalius.methods.inpainting.sites.known import sites_of
from vesalius.methods.inpainting.sites.site import MarkedCrop, Sites

__all__ = ["MarkedCrop", "Sites", "sites_of"]
