"""The whole path under faults: a worker's process, its spool, HTTP, the service's process and Postgres."""
