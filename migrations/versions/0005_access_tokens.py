"""Tokens that let callers in."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ACCESS_TOKENS = """
CREATE TABLE access_tokens (
    token_id text NOT NULL,
    digest bytea NOT NULL,
    scopes text[] NOT NULL,
    job_prefix text,
    name text,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz,
    CONSTRAINT access_tokens_pkey PRIMARY KEY (token_id),
    CONSTRAINT access_tokens_digest_is_sha256 CHECK (octet_length(digest) = 32),
    CONSTRAINT access_tokens_scopes_known CHECK (scopes <@ ARRAY['read', 'capture', 'admin']::text[])
)
"""


def upgrade() -> None:
    op.execute(ACCESS_TOKENS)


def downgrade() -> None:
    op.execute("DROP TABLE access_tokens")
