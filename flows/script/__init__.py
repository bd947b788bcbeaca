"""JavaScript beyond our own expressions: checked at load, run in a sandbox of its own."""
