-- The aliases of a domain are asked for whenever a member goes; without this, every member would be looked at.
CREATE INDEX contact_alias ON contact (domain, changed) WHERE kind = 'alias';
