-- Values that hold until another one changes, and values that come from others. Equal messages of a task are one row.

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

-- Messages of a task that are equal but for their identity are one row, with a count and the first identities. The
-- digest is that of the type, the key and the text; rows from before have one of their own, and count 1.
ALTER TABLE muster.task_messages
    ADD COLUMN digest   uuid,
    ADD COLUMN count    bigint NOT NULL DEFAULT 1,
    ADD COLUMN examples uuid[] NOT NULL DEFAULT '{}';
UPDATE muster.task_messages
SET digest = id, examples = CASE WHEN identity_id IS NULL THEN '{}' ELSE ARRAY[identity_id] END;
ALTER TABLE muster.task_messages
    ALTER COLUMN digest SET NOT NULL,
    ALTER COLUMN count DROP DEFAULT,
    ALTER COLUMN examples DROP DEFAULT,
    DROP COLUMN identity_id;
ALTER TABLE muster.task_messages
    ADD CONSTRAINT task_messages_count CHECK (count >= 1 AND count >= cardinality(examples));
DROP INDEX muster.task_messages_task;
CREATE UNIQUE INDEX task_messages_group ON muster.task_messages (task_id, digest);

-- +goose Down
DROP INDEX muster.task_messages_group;
ALTER TABLE muster.task_messages ADD COLUMN identity_id uuid;
UPDATE muster.task_messages SET identity_id = examples[1];
ALTER TABLE muster.task_messages DROP COLUMN digest, DROP COLUMN count, DROP COLUMN examples;
CREATE INDEX task_messages_task ON muster.task_messages (task_id, id);
ALTER TABLE muster.refresh_requests DROP COLUMN depth;
DROP TABLE muster.identity_lookups;
ALTER TABLE muster.identities DROP COLUMN lifecycle_basis;
