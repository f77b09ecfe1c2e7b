-- Stores a new token.
INSERT INTO access_tokens (token_id, digest, scopes, job_prefix, name, created_at, expires_at)
VALUES (:token_id::text, :digest::bytea, :scopes::text[], :job_prefix::text, :name::text, :created_at::timestamptz, :expires_at::timestamptz)
