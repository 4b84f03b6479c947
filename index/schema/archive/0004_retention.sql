-- What was removed for good.
CREATE TABLE retention (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    purged  INTEGER NOT NULL,   -- everything from before this time (microseconds since 1970) is removed, or being removed
    erased  INTEGER NOT NULL,   -- how often something was removed
    renewed INTEGER NOT NULL    -- the value of `erased` when the search index was last made anew
);
INSERT INTO retention VALUES (1, 0, 0, 0);
