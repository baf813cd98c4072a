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

-- For whom an operation was planned, and by which task. The task may be gone by now. Empty in operations from before.
ALTER TABLE muster.provisioning_operations
    ADD COLUMN actor_id   text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN actor_name text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN actor_via  text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN task_id    uuid;

-- +goose Down

-- === Operations and deliveries

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

-- === History
