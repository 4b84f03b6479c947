-- What a session needs to be resumed is in the journal now. Here stays what must be written together with a chat: how many
-- stanzas of its sender's client are done with it.
DROP TABLE session;
CREATE TABLE session (
    token   TEXT PRIMARY KEY,
    kept    INTEGER NOT NULL,                   -- when, microseconds since 1970
    handled INTEGER NOT NULL
) WITHOUT ROWID;
