"""WHAT: graphs of steps, the language they are written in, and what executes them. Imports nothing of ours."""
