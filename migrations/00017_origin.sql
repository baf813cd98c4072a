-- Where accounts come from, and the history of those that are correlated by hand.

-- +goose Up

-- An operation created the account on its source. Otherwise it was read there first.
ALTER TABLE muster.accounts ADD COLUMN provisioned boolean NOT NULL DEFAULT false;
UPDATE muster.accounts a
SET provisioned = true
WHERE a.id = ANY (ARRAY (SELECT account_id FROM muster.provisioning_operations
                         WHERE kind = 'CREATE' AND state = 'DONE' AND outcome IS NULL));

CREATE INDEX identity_events_accounts_changed ON muster.identity_events (write_id, number)
    WHERE 'IDENTITY_ACCOUNTS_CHANGED' = ANY (types);

-- +goose Down
DROP INDEX muster.identity_events_accounts_changed;
ALTER TABLE muster.accounts DROP COLUMN provisioned;
