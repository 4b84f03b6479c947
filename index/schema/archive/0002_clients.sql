-- A conversation that continues on every device: what each client has got, what is read, which sessions can be resumed.

-- What one client of the owner has been given: everything received up to `delivered`. A client is what the account's sessions
-- of one resource, without a random ending, have in common.
CREATE TABLE client (
    owner     INTEGER NOT NULL REFERENCES address,
    family    TEXT NOT NULL,
    since     INTEGER NOT NULL,                 -- everything up to here was none of its business
    delivered INTEGER NOT NULL,
    fetches   INTEGER NOT NULL DEFAULT 0,       -- 1: it asks for the history by itself
    PRIMARY KEY (owner, family)
) WITHOUT ROWID;

-- Before there were clients, an account had one cursor: it is where each of its clients begins.
INSERT INTO client (owner, family, since, delivered) SELECT owner, '', delivered, delivered FROM cursor;
DROP TABLE cursor;

-- Whether the other devices of both sides get copies of a message, or its sender asked that they do not.
ALTER TABLE message ADD COLUMN is_copied INTEGER NOT NULL DEFAULT 1;

-- Up to where the owner has read a conversation, as his clients said; his own replies say it too.
CREATE TABLE reading (
    owner INTEGER NOT NULL REFERENCES address,
    peer  INTEGER NOT NULL REFERENCES address,
    id    INTEGER NOT NULL,
    PRIMARY KEY (owner, peer)
) WITHOUT ROWID;

-- Sessions that can be resumed after the server was killed (XEP-0198).
CREATE TABLE session (
    token    TEXT PRIMARY KEY,
    owner    INTEGER NOT NULL REFERENCES address,
    resource TEXT NOT NULL,
    kept     INTEGER NOT NULL,                  -- when, microseconds since 1970
    handled  INTEGER NOT NULL,                  -- stanzas of the client that are done for good
    state    BLOB NOT NULL                      -- MessagePack of engine.messages.SessionState
) WITHOUT ROWID;
CREATE INDEX session_by_age ON session (kept);

-- Who was removed, and up to which id the history went with him: an address that is given again begins anew.
CREATE TABLE departure (
    owner INTEGER PRIMARY KEY REFERENCES address,
    id    INTEGER NOT NULL
);
