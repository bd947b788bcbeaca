"""The job that puts a run to a worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon.dispatch import Job

if TYPE_CHECKING:
    from daemon.store.rows import Run


def job_of(run: Run) -> Job:
    """Of a run that was queued just now."""
    if run.start_by is None and run.not_before is None:
        return Job(run.id, run.epoch, priority=run.priority)
    return Job(run.id, run.epoch, priority=run.priority, not_before=run.not_before or 0.0, start_by=run.start_by)
