"""What pages in the browser need: the viewer, headers, limits, where to listen."""
