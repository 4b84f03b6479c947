-- Whom a member blocks (XEP-0191). Any address can be blocked, whoever has it or nobody: others' entries outlive a member.
CREATE TABLE blocked (
    owner   TEXT NOT NULL REFERENCES contact ON DELETE CASCADE,
    address TEXT NOT NULL,
    PRIMARY KEY (owner, address)
) WITHOUT ROWID;
