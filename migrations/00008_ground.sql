-- What history, settings, jobs, accounts and operations stand on: order that does not depend on a server's transaction
-- numbers, actors, settings of the tenant, and keys that are known before a statement.

-- +goose Up

-- === History

-- === Configuration, settings and engines

-- === Tasks, requests and messages

-- === Accounts and aggregation

-- === Operations and deliveries

-- A lease has an owner, the engine that took it, and a number that grows each time. A worker that was paused and comes
-- back finds another number, and writes nothing.
ALTER TABLE muster.provisioning_batches
    ADD COLUMN lease_owner  uuid,
    ADD COLUMN lease_number bigint NOT NULL DEFAULT 0;
ALTER TABLE muster.notifications ADD COLUMN lease_owner uuid; -- its attempts are the number

-- A parked operation is held back until somebody releases it. The cause says why, the parker who held it back.
ALTER TABLE muster.provisioning_operations
    ADD COLUMN parked       timestamptz,
    ADD COLUMN parked_cause text COLLATE "C",
    ADD COLUMN parker_id    text COLLATE "C",
    ADD COLUMN parker_name  text COLLATE "C",
    ADD COLUMN parker_via   text COLLATE "C",
    DROP CONSTRAINT provisioning_operations_state,
    ADD CONSTRAINT provisioning_operations_state CHECK (state IN ('OPEN', 'MANUAL', 'PARKED', 'DONE', 'FAILED',
        'RETRIED', 'CANCELLED')),
    ADD CONSTRAINT provisioning_operations_parked CHECK ((state = 'PARKED') = (parked IS NOT NULL)
        AND (parked IS NULL) = (parked_cause IS NULL));
DROP INDEX muster.provisioning_operations_open;
CREATE UNIQUE INDEX provisioning_operations_open ON muster.provisioning_operations
    (identity_id, source_id, coalesce(account_id, '00000000-0000-0000-0000-000000000000'), attribute, value)
    WHERE state IN ('OPEN', 'MANUAL', 'PARKED');
DROP INDEX muster.provisioning_operations_pending;
CREATE INDEX provisioning_operations_pending ON muster.provisioning_operations (identity_id, id)
    WHERE state IN ('OPEN', 'MANUAL', 'PARKED', 'FAILED');

-- +goose Down

-- === Operations and deliveries

-- The tables before know no parked operation. A later processing opens it again if it is still wanted.
UPDATE muster.provisioning_operations SET state = 'CANCELLED', completed = parked, error = parked_cause, parked = NULL,
    parked_cause = NULL
WHERE state = 'PARKED';
DROP INDEX muster.provisioning_operations_pending;
CREATE INDEX provisioning_operations_pending ON muster.provisioning_operations (identity_id, id)
    WHERE state IN ('OPEN', 'MANUAL', 'FAILED');
DROP INDEX muster.provisioning_operations_open;
CREATE UNIQUE INDEX provisioning_operations_open ON muster.provisioning_operations
    (identity_id, source_id, coalesce(account_id, '00000000-0000-0000-0000-000000000000'), attribute, value)
    WHERE state IN ('OPEN', 'MANUAL');
ALTER TABLE muster.provisioning_operations
    DROP CONSTRAINT provisioning_operations_parked,
    DROP CONSTRAINT provisioning_operations_state,
    ADD CONSTRAINT provisioning_operations_state CHECK (state IN ('OPEN', 'MANUAL', 'DONE', 'FAILED', 'RETRIED',
        'CANCELLED')),
    DROP COLUMN parked,
    DROP COLUMN parked_cause,
    DROP COLUMN parker_id,
    DROP COLUMN parker_name,
    DROP COLUMN parker_via;
ALTER TABLE muster.notifications DROP COLUMN lease_owner;
ALTER TABLE muster.provisioning_batches DROP COLUMN lease_owner, DROP COLUMN lease_number;

-- === Accounts and aggregation

-- === Tasks, requests and messages

-- === Configuration, settings and engines

-- === History
