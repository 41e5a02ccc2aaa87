"""What every page that is served in the browser needs: the viewer, headers, limits, where to listen."""
