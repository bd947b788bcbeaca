"""Watching files: what the file-watch source is made of."""
