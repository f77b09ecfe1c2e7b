"""`jobtail.session.current_job`, as documented before `jobtail` itself exported it."""

from jobtail.job.session import current_job

__all__ = ["current_job"]
