"""What keeps a home from being served well, found before it hurts: with and without its daemon, and nothing is changed."""

from daemon.doctor.finding import Finding
from daemon.doctor.visit import examine

__all__ = ["Finding", "examine"]
