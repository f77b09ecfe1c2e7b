-- Ends a token that was valid until now. Returns no row if there is none, or if it had been ended before.
UPDATE access_tokens
SET revoked_at = :revoked_at::timestamptz
WHERE token_id = :token_id::text AND revoked_at IS NULL
RETURNING token_id
