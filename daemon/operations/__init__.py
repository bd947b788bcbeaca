"""What a person or a tool can ask of a home: the admin API and the commands without a daemon are thin faces of this."""

from __future__ import annotations

from daemon.operations.approvals import Answers
from daemon.operations.events import Events
from daemon.operations.explained import Explained
from daemon.operations.given import MAX_LISTED, Listed, Live, Rows
from daemon.operations.graphs import Graphs
from daemon.operations.pausing import Pausing
from daemon.operations.retrying import Retrying
from daemon.operations.status import Status
from daemon.operations.switches import Switches
from daemon.operations.trials import Trials
from daemon.operations.versions import Versions

__all__ = ["MAX_LISTED", "Listed", "Live", "Operations", "Rows"]


class Operations(Trials, Explained, Switches, Pausing, Graphs, Answers, Retrying, Events, Versions, Status):
    """One home, and all that can be asked of it: a file of this folder for each noun, and `Given` beneath them."""

    __slots__ = ()
