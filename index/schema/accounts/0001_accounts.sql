-- Domains, their members and aliases, and what members keep.

PRAGMA application_id = 0x526F6B62;  -- "Rokb": the accounts of Rookery

-- `version` counts the changes of the domain; each change has a number of its own, and none is given twice.
CREATE TABLE domain (
    id      INTEGER PRIMARY KEY,
    name    TEXT NOT NULL UNIQUE,
    version INTEGER NOT NULL
);

-- The highest version of any domain that was removed: a domain that is added starts above it, also if it was here before.
CREATE TABLE retired (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    version INTEGER NOT NULL
);
INSERT INTO retired VALUES (1, 0);

CREATE TABLE contact (
    address    TEXT PRIMARY KEY,
    domain     INTEGER NOT NULL REFERENCES domain ON DELETE CASCADE,
    kind       TEXT NOT NULL CHECK (kind IN ('member', 'alias')),
    name       TEXT NOT NULL,
    title      TEXT NOT NULL,
    department TEXT NOT NULL,
    phone      TEXT NOT NULL,
    members    TEXT NOT NULL,       -- of an alias: a JSON list of addresses
    changed    INTEGER NOT NULL     -- the version of the domain that this change made
) WITHOUT ROWID;
CREATE INDEX contact_by_change ON contact (domain, changed);

-- Remembered for roster versioning, the newest ones only.
CREATE TABLE removed_contact (
    address TEXT PRIMARY KEY,
    domain  INTEGER NOT NULL REFERENCES domain ON DELETE CASCADE,
    kind    TEXT NOT NULL CHECK (kind IN ('member', 'alias')),
    changed INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX removed_contact_by_change ON removed_contact (domain, changed);

-- SCRAM (RFC 5802, section 3): what the server keeps of a password.
CREATE TABLE verifier (
    address    TEXT NOT NULL REFERENCES contact ON DELETE CASCADE,
    hash_name  TEXT NOT NULL,
    salt       BLOB NOT NULL,
    iterations INTEGER NOT NULL CHECK (iterations > 0),
    stored_key BLOB NOT NULL,
    server_key BLOB NOT NULL,
    PRIMARY KEY (address, hash_name)
) WITHOUT ROWID;

-- A member's own name and groups (a JSON list) for a contact; both NULL: dropped, remembered for roster versioning.
CREATE TABLE personal (
    owner   TEXT NOT NULL REFERENCES contact ON DELETE CASCADE,
    address TEXT NOT NULL,
    name    TEXT,
    groups  TEXT,
    changed INTEGER NOT NULL,
    PRIMARY KEY (owner, address)
) WITHOUT ROWID;

CREATE TABLE photo (
    address    TEXT PRIMARY KEY REFERENCES contact ON DELETE CASCADE,
    media_type TEXT NOT NULL,
    data       BLOB NOT NULL
);

-- Random bytes that the server made once for itself.
CREATE TABLE secret (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;
