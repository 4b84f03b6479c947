-- Every message once, and one ledger row ("entry") for each person whom it concerns.

PRAGMA application_id = 0x526F6B61;  -- "Roka": the archive of Rookery

-- Bare addresses, each once: a number is a tenth of the text in every row and index below.
CREATE TABLE address (
    id  INTEGER PRIMARY KEY,
    jid TEXT NOT NULL UNIQUE
);

-- What was said. Empty text stands for "was not there".
CREATE TABLE message (
    id              INTEGER PRIMARY KEY CHECK (id > 0),     -- microseconds since 1970, never going back
    sender          INTEGER NOT NULL REFERENCES address,
    sender_resource TEXT NOT NULL,
    target          INTEGER NOT NULL REFERENCES address,    -- as addressed: a person or an alias
    target_resource TEXT NOT NULL,
    via             INTEGER REFERENCES address,             -- the alias that it went through
    kind            TEXT NOT NULL,
    stanza_id       TEXT NOT NULL,
    origin_id       TEXT NOT NULL,
    language        TEXT NOT NULL,
    body            TEXT NOT NULL,
    payload         TEXT NOT NULL
);

-- A resend is the same message.
CREATE UNIQUE INDEX message_by_origin ON message (sender, origin_id) WHERE origin_id <> '';

-- Whose it is. `peer`: with whom the owner has this conversation (the sender of an alias message has it with the alias).
CREATE TABLE entry (
    owner INTEGER NOT NULL REFERENCES address,
    id    INTEGER NOT NULL REFERENCES message,
    peer  INTEGER NOT NULL REFERENCES address,
    role  INTEGER NOT NULL CHECK (role IN (1, 2, 3)),       -- 1 sent, 2 received, 3 absent: an alias's member who was not there
    PRIMARY KEY (owner, id)
) WITHOUT ROWID;

-- One conversation, page by page; who was absent has it not.
CREATE INDEX entry_by_peer ON entry (owner, peer, id) WHERE role <> 3;

-- Who received this message? Rows are appended, so this one is cheap.
CREATE INDEX entry_by_message ON entry (id);

-- Everything that the owner received up to `delivered` has reached one of his sessions.
CREATE TABLE cursor (
    owner     INTEGER PRIMARY KEY REFERENCES address,
    delivered INTEGER NOT NULL
);
