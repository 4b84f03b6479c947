-- Files that are shared in chats. What is in them lies beside this database, in folder ``files``.

CREATE TABLE file (
    id    TEXT PRIMARY KEY,
    owner TEXT NOT NULL,                                -- bare address of who uploaded it; empty: he left
    name  TEXT NOT NULL,
    size  INTEGER NOT NULL,
    made  INTEGER NOT NULL,                             -- when its place was reserved, microseconds since 1970
    state INTEGER NOT NULL CHECK (state IN (1, 2, 3)),  -- 1 awaited, 2 kept, 3 being removed
    held  INTEGER NOT NULL DEFAULT 1                    -- 1: no message carried it so far; 0: it goes with the last that does
) WITHOUT ROWID;
CREATE INDEX file_by_owner ON file (owner, state, made, size);

-- Which message carries which file: who has the message may have the file.
CREATE TABLE attachment (
    id   INTEGER PRIMARY KEY REFERENCES message,
    file TEXT NOT NULL REFERENCES file
);
CREATE INDEX attachment_by_file ON attachment (file);
