-- What identities are to have on sources, what they were given, and what is still to be done for it.

-- +goose Up
CREATE TABLE muster.access_profiles (
    id        uuid             NOT NULL,
    name      text COLLATE "C" NOT NULL,
    name_key  text COLLATE "C" NOT NULL,
    document  jsonb            NOT NULL,
    created   timestamptz      NOT NULL,
    modified  timestamptz      NOT NULL,
    CONSTRAINT access_profiles_pkey PRIMARY KEY (id),
    CONSTRAINT access_profiles_name_unique UNIQUE (name_key)
);

-- What was given because something granted it: it is taken away when nothing does any more. What accounts have besides
-- was there before, and stays.
CREATE TABLE muster.access_grants (
    identity_id uuid             NOT NULL,
    source_id   uuid             NOT NULL,
    attribute   text COLLATE "C" NOT NULL,
    value       text COLLATE "C" NOT NULL,
    account_id  uuid, -- which got it; no foreign key, so that a vanished account is a matter of the next processing
    granted     timestamptz      NOT NULL,
    CONSTRAINT access_grants_pkey PRIMARY KEY (identity_id, source_id, attribute, value),
    CONSTRAINT access_grants_identity_fkey FOREIGN KEY (identity_id) REFERENCES muster.identities (id) ON DELETE CASCADE
);

-- What one transaction of processing wants to be done on one source: the work of one job.
CREATE TABLE muster.provisioning_batches (
    id        uuid        NOT NULL,
    source_id uuid        NOT NULL,
    job_id    bigint,
    -- Until when a worker has it. A worker that is gone leaves a lease that ends.
    leased    timestamptz,
    created   timestamptz NOT NULL,
    CONSTRAINT provisioning_batches_pkey PRIMARY KEY (id)
);

-- Operations are kept: they are the record of what was done. Identity and account may be gone by then.
CREATE TABLE muster.provisioning_operations (
    id              uuid             NOT NULL,
    batch_id        uuid, -- null for one that people do
    identity_id     uuid             NOT NULL,
    source_id       uuid             NOT NULL,
    account_id      uuid, -- null for the creation of an account
    native_identity text COLLATE "C" NOT NULL,
    kind            text COLLATE "C" NOT NULL,
    attribute       text COLLATE "C" NOT NULL,
    value           text COLLATE "C" NOT NULL,
    attributes      jsonb            NOT NULL,
    reason          text COLLATE "C" NOT NULL,
    state           text COLLATE "C" NOT NULL,
    attempts        integer          NOT NULL DEFAULT 0,
    error           text COLLATE "C",
    created         timestamptz      NOT NULL,
    begun           timestamptz,
    completed       timestamptz,
    CONSTRAINT provisioning_operations_pkey PRIMARY KEY (id),
    CONSTRAINT provisioning_operations_kind CHECK (kind IN ('CREATE', 'SET_ATTRIBUTES', 'ADD_ENTITLEMENT',
        'REMOVE_ENTITLEMENT', 'ENABLE', 'DISABLE', 'DELETE', 'SET_PASSWORD')),
    -- OPEN is to be done by a job, MANUAL by people; FAILED was given up, and becomes RETRIED when another one takes its
    -- place.
    CONSTRAINT provisioning_operations_state CHECK (state IN ('OPEN', 'MANUAL', 'DONE', 'FAILED', 'RETRIED',
        'CANCELLED'))
);

CREATE UNIQUE INDEX provisioning_operations_open ON muster.provisioning_operations
    (identity_id, source_id, coalesce(account_id, '00000000-0000-0000-0000-000000000000'), attribute, value)
    WHERE state IN ('OPEN', 'MANUAL');
CREATE INDEX provisioning_operations_identity ON muster.provisioning_operations (identity_id, id);
CREATE INDEX provisioning_operations_pending ON muster.provisioning_operations (identity_id, id)
    WHERE state IN ('OPEN', 'MANUAL', 'FAILED');
CREATE INDEX provisioning_operations_batch ON muster.provisioning_operations (batch_id, id) WHERE state = 'OPEN';
CREATE INDEX provisioning_operations_state ON muster.provisioning_operations (state, id);

-- Somebody asked that the attributes be synchronized, not only the identity processed.
ALTER TABLE muster.refresh_requests ADD COLUMN synchronize boolean NOT NULL DEFAULT false;

-- When the synchronization of an identity was asked for last: there is a least time between two.
CREATE TABLE muster.synchronizations (
    identity_id uuid        NOT NULL,
    at          timestamptz NOT NULL,
    CONSTRAINT synchronizations_pkey PRIMARY KEY (identity_id),
    CONSTRAINT synchronizations_identity_fkey FOREIGN KEY (identity_id) REFERENCES muster.identities (id) ON DELETE CASCADE
);

-- What is known of the aggregation of sources by their connectors.
CREATE TABLE muster.source_aggregations (
    source_id uuid        NOT NULL,
    cursor    text COLLATE "C", -- from which on changes can be read
    schedule  text COLLATE "C", -- that next belongs to
    next      timestamptz,
    last      timestamptz, -- that succeeded
    failed    timestamptz, -- that failed, if it was the last
    error     text COLLATE "C",
    result    jsonb,
    CONSTRAINT source_aggregations_pkey PRIMARY KEY (source_id),
    CONSTRAINT source_aggregations_source_fkey FOREIGN KEY (source_id) REFERENCES muster.sources (id) ON DELETE CASCADE
);

ALTER TABLE muster.tasks ADD COLUMN operations bigint NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE muster.tasks DROP COLUMN operations;
DROP TABLE muster.source_aggregations;
DROP TABLE muster.synchronizations;
ALTER TABLE muster.refresh_requests DROP COLUMN synchronize;
DROP TABLE muster.provisioning_operations;
DROP TABLE muster.provisioning_batches;
DROP TABLE muster.access_grants;
DROP TABLE muster.access_profiles;
