-- Browsers that are logged in to webmail. `key` is the SHA-256 of what the browser holds, so the file lets nobody in.
CREATE TABLE login (
    key     BLOB PRIMARY KEY,
    owner   TEXT NOT NULL REFERENCES contact ON DELETE CASCADE,
    made_at INTEGER NOT NULL        -- seconds since 1970
) WITHOUT ROWID;
CREATE INDEX login_by_owner ON login (owner, made_at);
