-- Histories are read page by page, and every row that is passed over costs time: only what is shown stays among the entries.

-- Members of an alias who were offline while others were online. Not in their histories. A message to a large alias is one run
-- of rows here, not a row in a thousand places.
CREATE TABLE absence (
    id    INTEGER NOT NULL REFERENCES message,
    owner INTEGER NOT NULL REFERENCES address,
    PRIMARY KEY (id, owner)
) WITHOUT ROWID;
INSERT INTO absence (id, owner) SELECT id, owner FROM entry WHERE role = 3 ORDER BY id, owner;
DELETE FROM entry WHERE role = 3;

-- One conversation, page by page; with the role, so that what is unread is counted without a look at the entries.
DROP INDEX entry_by_peer;
CREATE INDEX entry_by_peer ON entry (owner, peer, id, role);
