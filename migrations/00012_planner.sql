-- +goose Up

-- When a parked operation was let go again last. What was done before that does not count against the limit of a day.
ALTER TABLE muster.provisioning_operations ADD COLUMN released timestamptz;

-- The operations of an identity on a day, for the limit of operations with one target.
CREATE INDEX provisioning_operations_done ON muster.provisioning_operations (identity_id, completed)
    WHERE state = 'DONE';
CREATE INDEX provisioning_operations_released ON muster.provisioning_operations (identity_id, released)
    WHERE released IS NOT NULL;

-- +goose Down
DROP INDEX muster.provisioning_operations_released;
DROP INDEX muster.provisioning_operations_done;
ALTER TABLE muster.provisioning_operations DROP COLUMN released;
