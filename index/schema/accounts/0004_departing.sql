-- Members who were removed and whose history is still in the archive; their addresses are not given again before it is gone.
CREATE TABLE departing (address TEXT PRIMARY KEY) WITHOUT ROWID;
