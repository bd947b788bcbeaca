"""The admin API: what the commands talk to, on a Unix socket of the owner's and, when asked, on TCP with a token."""

from daemon.admin.route import Behind
from daemon.admin.server import Bound, open_admin

__all__ = ["Behind", "Bound", "open_admin"]
