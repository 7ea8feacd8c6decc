"""The pages of `drawstore serve`: runs as they are now, in a browser."""
