"""Everything that can go wrong, in one tree.

JobtailError
├── InvalidInput          the caller sent something that cannot be; the message says what to do
├── NotFound              no such thing
├── Unauthenticated       who calls is not known
├── Forbidden             who calls may not do that
├── TooComplex            more is asked for than may be; the message says what to do
│   └── OutOfTime         ... in the time that there is
├── TooMany               the caller does too much at a time; the same call may succeed later
├── Unavailable           Postgres or the channel is away; the same call may succeed later
└── StorageFault          Postgres refused what should have been fine: a defect of ours
    └── UnstorableContent     ... for what a value of it is: another batch may be fine
"""


class JobtailError(Exception):
    """The root of the tree."""


class InvalidInput(JobtailError):
    """The caller sent something that cannot be."""


class NotFound(JobtailError):
    """There is no such thing."""

    def __init__(self, kind: str, key: str) -> None:
        super().__init__(f"there is no {kind} {key!r}")
        self.kind = kind
        self.key = key


class TooComplex(JobtailError):
    """More is asked for than may be. Asking for less may succeed."""


class OutOfTime(TooComplex):
    """The answer would take longer than it may."""


class TooMany(JobtailError):
    """The caller does too much at a time."""

    def __init__(self, message: str, retry_after_s: int = 1) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Unauthenticated(JobtailError):
    """Who calls is not known: there is no valid token."""


class Forbidden(JobtailError):
    """Who calls may not do that."""

    def __init__(self, needed: str, *, job_id: str | None = None) -> None:
        super().__init__(f"this needs a token that allows {needed}")
        self.job_id = job_id
        """The one job that the caller may say nothing of, where it is that."""


class Unavailable(JobtailError):
    """A resource is away. Nothing is known to have been stored; a numbered batch may be sent again."""


class StorageFault(JobtailError):
    """Postgres refused a statement for a reason that sending it again does not cure."""


class UnstorableContent(StorageFault):
    """The database cannot hold this content. Without the event that is to blame, the rest can be stored."""
