-- SQLite has no checksum of its pages: a bit that flips on the disk would be a text that nobody wrote. CRC-32 of everything that is
-- shown of a message, addresses included. NULL: from before this.
ALTER TABLE message ADD COLUMN checksum INTEGER;
