-- Where accounts come from.

-- +goose Up

-- An operation created the account on its source. Otherwise it was read there first.
ALTER TABLE muster.accounts ADD COLUMN provisioned boolean NOT NULL DEFAULT false;
UPDATE muster.accounts a
SET provisioned = true
WHERE a.id = ANY (ARRAY (SELECT account_id FROM muster.provisioning_operations
                         WHERE kind = 'CREATE' AND state = 'DONE' AND outcome IS NULL));

-- +goose Down
ALTER TABLE muster.accounts DROP COLUMN provisioned;
