-- Values that hold until another one changes, and values that come from others.

-- +goose Up

-- "=" and the value that the mapping of the lifecycle state gave when the state was set by hand; '' where no state was
-- set by hand, or the value is not known. When the mapping gives another value, the state that was set holds no longer.
ALTER TABLE muster.identities ADD COLUMN lifecycle_basis text NOT NULL DEFAULT '';

-- The names by which a calculation looked other identities up, and whom it found; null for nobody. The key is a digest
-- of the folded alias. There is no foreign key for who was found: the lookup of somebody who is gone is made again.
CREATE TABLE muster.identity_lookups (
    key       uuid NOT NULL,
    reader_id uuid NOT NULL,
    found_id  uuid,
    CONSTRAINT identity_lookups_pkey PRIMARY KEY (key, reader_id),
    CONSTRAINT identity_lookups_reader_fkey FOREIGN KEY (reader_id) REFERENCES muster.identities (id) ON DELETE CASCADE
);
CREATE INDEX identity_lookups_reader ON muster.identity_lookups (reader_id);

-- How many changes of others, each of which follows from the one before, lead to the request.
ALTER TABLE muster.refresh_requests ADD COLUMN depth integer NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE muster.refresh_requests DROP COLUMN depth;
DROP TABLE muster.identity_lookups;
ALTER TABLE muster.identities DROP COLUMN lifecycle_basis;
