"""Driver errors become the domain's here, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from socket import gaierror

import asyncpg
from asyncpg.exceptions import _base as asyncpg_base
from sqlalchemy.exc import DBAPIError, EmulatedDBAPIException, InterfaceError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from domain.errors import JobtailError, StorageFault, Unavailable, UnstorableContent

AWAY = (
    OSError,
    TimeoutError,
    InterfaceError,
    PoolTimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.ReadOnlySQLTransactionError,
)
"""What passes: Postgres is down, starting, stopping, too busy, full, or chose our transaction as the victim."""

MISDIRECTED = (
    gaierror,
    asyncpg.ClientConfigurationError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
)
"""What may pass, but is most often a wrong host, account or database."""

CONTENT = (
    asyncpg.DataError,
    asyncpg_base.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
)
"""What a value is to blame for. The driver has an error of its own, of the same name, for what it cannot encode."""


DRIVER_ERRORS = (*AWAY, asyncpg.PostgresError, SQLAlchemyError, EmulatedDBAPIException)


@contextmanager
def translated() -> Iterator[None]:
    """Raise the domain's errors for those of the drivers, as `translation` tells them."""
    try:
        yield
    except DRIVER_ERRORS as error:
        raise translation(error) from error


def translation(error: Exception) -> JobtailError:
    """Give the domain's error for one of the drivers.

    It is `Unavailable` if the same call may succeed later, `UnstorableContent` if it will not, for what a value is, and
    `StorageFault` if it will not, for any other reason.
    """
    cause = _cause(error)
    if isinstance(cause, CONTENT):
        return UnstorableContent(f"the database refused a value: {cause}")
    if isinstance(cause, AWAY) or (isinstance(error, DBAPIError) and error.connection_invalidated):
        return Unavailable(f"the database {_state(cause)}: {cause}")
    return StorageFault(f"the database refused a statement: {cause}")


def _state(cause: BaseException) -> str:
    return "cannot be reached as its URL says" if isinstance(cause, MISDIRECTED) else "is away"


def was_cancelled(error: Unavailable) -> bool:
    """Tell whether a statement was ended for its time."""
    return error.__cause__ is not None and isinstance(_cause(error.__cause__), asyncpg.QueryCanceledError)


def _cause(error: BaseException) -> BaseException:
    """Find the driver's own error below SQLAlchemy's and its adapter's, which comes alone from where it connects."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        error = error.orig
    return error.__cause__ or error if isinstance(error, EmulatedDBAPIException) else error
