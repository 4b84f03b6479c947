-- Sign-on tokens that were used and would still be accepted: each works once.
CREATE TABLE used_token (
    name  TEXT PRIMARY KEY,         -- issuer and jti
    until INTEGER NOT NULL          -- seconds since 1970; afterwards nobody accepts it anyway
) WITHOUT ROWID;
CREATE INDEX used_token_by_time ON used_token (until);
