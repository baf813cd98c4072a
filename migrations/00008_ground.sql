-- What history, settings, jobs, accounts and operations stand on: order that does not depend on a server's transaction
-- numbers, actors, settings of the tenant, and keys that are known before a statement.

-- +goose Up

-- === History

-- === Configuration, settings and engines

-- Each change of the configuration: who made it, when and why. The version is that of the configuration after it.
-- Revisions are never removed.
CREATE TABLE muster.configuration_revisions (
    version    bigint           NOT NULL,
    at         timestamptz      NOT NULL,
    actor_id   text COLLATE "C" NOT NULL,
    actor_name text COLLATE "C" NOT NULL,
    actor_via  text COLLATE "C" NOT NULL,
    comment    text COLLATE "C" NOT NULL,
    CONSTRAINT configuration_revisions_pkey PRIMARY KEY (version)
);

-- The objects that a change created, changed or removed, with their documents before and after it. No foreign key: they
-- are written with their revision, in one transaction, and neither is ever removed.
CREATE TABLE muster.configuration_revision_objects (
    version bigint           NOT NULL,
    number  integer          NOT NULL, -- from 1 on, by type and name
    type    text COLLATE "C" NOT NULL,
    id      uuid, -- null for an identity attribute, which has none
    name    text COLLATE "C" NOT NULL,
    before  jsonb, -- null for an object that was created
    after   jsonb, -- null for one that was removed
    CONSTRAINT configuration_revision_objects_pkey PRIMARY KEY (version, number)

-- The settings of the tenant, which all its processes follow: what was applied, and what engines set before anything
-- was applied. settled says that a configuration was applied, so that engines set nothing any more.
ALTER TABLE muster.configuration
    ADD COLUMN settings jsonb   NOT NULL DEFAULT '{}',
    ADD COLUMN settled  boolean NOT NULL DEFAULT false;

-- The engines that are started, each with what must be the same for all and is not part of the configuration.
CREATE TABLE muster.engines (
    id       uuid        NOT NULL,
    host     text        NOT NULL,
    process  bigint      NOT NULL,
    version  text        NOT NULL,
    started  timestamptz NOT NULL,
    seen     timestamptz NOT NULL,
    settings jsonb       NOT NULL,
    CONSTRAINT engines_pkey PRIMARY KEY (id)
);

-- === Tasks, requests and messages

-- Who launched a task, with launcher as the name; who confirmed it and who cancelled it. Empty where nobody did, and in
-- tasks from before, where it was not recorded.
ALTER TABLE muster.tasks
    ADD COLUMN actor_id       text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN actor_via      text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN confirmer_id   text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN confirmer_name text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN confirmer_via  text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN canceller_id   text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN canceller_name text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN canceller_via  text COLLATE "C" NOT NULL DEFAULT '';

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

-- For whom an operation was planned, and by which task. The task may be gone by now. Empty in operations from before.
ALTER TABLE muster.provisioning_operations
    ADD COLUMN actor_id   text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN actor_name text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN actor_via  text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN task_id    uuid;

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

ALTER TABLE muster.provisioning_operations
    DROP COLUMN actor_id,
    DROP COLUMN actor_name,
    DROP COLUMN actor_via,
    DROP COLUMN task_id;

-- === Accounts and aggregation

-- === Tasks, requests and messages

ALTER TABLE muster.tasks
    DROP COLUMN actor_id,
    DROP COLUMN actor_via,
    DROP COLUMN confirmer_id,
    DROP COLUMN confirmer_name,
    DROP COLUMN confirmer_via,
    DROP COLUMN canceller_id,
    DROP COLUMN canceller_name,
    DROP COLUMN canceller_via;

-- === Configuration, settings and engines

DROP TABLE muster.configuration_revision_objects;
DROP TABLE muster.configuration_revisions;

DROP TABLE muster.engines;

ALTER TABLE muster.configuration
    DROP COLUMN settings,
    DROP COLUMN settled;

-- === History
