"""The command `camshaft`: one file for each noun, and nothing heavy imported before it is needed."""

from daemon.cli.main import main

__all__ = ["main"]
