"""Tokens that may read metrics."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

CHECK = """
ALTER TABLE access_tokens
    DROP CONSTRAINT access_tokens_scopes_known,
    ADD CONSTRAINT access_tokens_scopes_known CHECK (scopes <@ ARRAY[{scopes}]::text[])
"""


def upgrade() -> None:
    op.execute(CHECK.format(scopes="'read', 'capture', 'metrics', 'admin'"))


def downgrade() -> None:
    op.execute("DELETE FROM access_tokens WHERE scopes = '{metrics}'")
    op.execute("UPDATE access_tokens SET scopes = array_remove(scopes, 'metrics') WHERE 'metrics' = ANY (scopes)")
    op.execute(CHECK.format(scopes="'read', 'capture', 'admin'"))
