-- Stores a new token.
INSERT INTO access_tokens (token_id, digest, scopes, job_prefix, name, created_at, expires_at)
VALUES ($1::text, $2::bytea, $3::text[], $4::text, $5::text, $6::timestamptz, $7::timestamptz)
