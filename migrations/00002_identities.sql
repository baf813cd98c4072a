-- Identities and their accounts. A column whose name ends in _key holds the case-folded form of its neighbour, written
-- by the engine: comparisons and orders are by code points of that form, the same on every server and in memory.

-- +goose Up
CREATE TABLE muster.identities (
    id               uuid             NOT NULL,
    name             text COLLATE "C" NOT NULL,
    name_key         text COLLATE "C" NOT NULL,
    alias            text COLLATE "C" NOT NULL,
    alias_key        text COLLATE "C" NOT NULL,
    email            text COLLATE "C",
    email_key        text COLLATE "C",
    firstname_key    text COLLATE "C",
    lastname_key     text COLLATE "C",
    cloud_status     text COLLATE "C" NOT NULL DEFAULT 'UNREGISTERED',
    processing_state text COLLATE "C",
    processing_error text COLLATE "C",
    correlated       boolean          NOT NULL,
    protected        boolean          NOT NULL DEFAULT false,
    profile_id       uuid,
    lifecycle_state  text COLLATE "C",
    lifecycle_manual boolean          NOT NULL DEFAULT false,
    identity_state   text COLLATE "C",
    manager_id       uuid,
    manager_key      text COLLATE "C",
    attributes       jsonb            NOT NULL DEFAULT '{}',
    created          timestamptz      NOT NULL,
    modified         timestamptz      NOT NULL,
    CONSTRAINT identities_pkey PRIMARY KEY (id),
    CONSTRAINT identities_profile_fkey FOREIGN KEY (profile_id) REFERENCES muster.identity_profiles (id),
    CONSTRAINT identities_manager_fkey FOREIGN KEY (manager_id) REFERENCES muster.identities (id) ON DELETE SET NULL,
    CONSTRAINT identities_not_own_manager CHECK (manager_id <> id),
    CONSTRAINT identities_email_key CHECK ((email IS NULL) = (email_key IS NULL)),
    CONSTRAINT identities_cloud_status CHECK (cloud_status IN ('UNREGISTERED', 'REGISTERED', 'PENDING', 'WARNING',
        'DISABLED', 'ACTIVE', 'DEACTIVATED', 'TERMINATED', 'ERROR', 'LOCKED')),
    CONSTRAINT identities_processing_state CHECK (processing_state IN ('OK', 'ERROR')),
    CONSTRAINT identities_identity_state CHECK (identity_state IN ('ACTIVE', 'INACTIVE_SHORT_TERM', 'INACTIVE_LONG_TERM'))
) WITH (fillfactor = 85);

CREATE INDEX identities_name ON muster.identities (name_key, id);
CREATE INDEX identities_alias ON muster.identities (alias_key, id);
CREATE INDEX identities_email ON muster.identities (email_key, id);
CREATE INDEX identities_firstname ON muster.identities (firstname_key, id);
CREATE INDEX identities_lastname ON muster.identities (lastname_key, id);
CREATE INDEX identities_cloud_status ON muster.identities (cloud_status, id);
CREATE INDEX identities_processing_state ON muster.identities (processing_state, id) WHERE processing_state IS NOT NULL;
CREATE INDEX identities_correlated ON muster.identities (correlated, id);
CREATE INDEX identities_protected ON muster.identities (protected, id);
CREATE INDEX identities_profile ON muster.identities (profile_id, id);
CREATE INDEX identities_manager ON muster.identities (manager_id);
CREATE INDEX identities_manager_key ON muster.identities (manager_key) WHERE manager_key IS NOT NULL;

-- The values by which identities are found: one row for each searchable attribute, as 'attribute=folded value'.
CREATE TABLE muster.identity_keys (
    key         text COLLATE "C" NOT NULL,
    identity_id uuid             NOT NULL,
    CONSTRAINT identity_keys_pkey PRIMARY KEY (key, identity_id),
    CONSTRAINT identity_keys_identity_fkey FOREIGN KEY (identity_id) REFERENCES muster.identities (id) ON DELETE CASCADE
);

CREATE INDEX identity_keys_identity ON muster.identity_keys (identity_id);

CREATE TABLE muster.accounts (
    id                  uuid             NOT NULL,
    source_id           uuid             NOT NULL,
    native_identity     text COLLATE "C" NOT NULL,
    name                text COLLATE "C" NOT NULL,
    identity_id         uuid,
    manually_correlated boolean          NOT NULL DEFAULT false,
    correlation_keys    text[] COLLATE "C" NOT NULL DEFAULT '{}',
    attributes          jsonb            NOT NULL,
    fingerprint         uuid             NOT NULL,
    created             timestamptz      NOT NULL,
    modified            timestamptz      NOT NULL,
    CONSTRAINT accounts_pkey PRIMARY KEY (id),
    CONSTRAINT accounts_native_identity_unique UNIQUE (source_id, native_identity),
    CONSTRAINT accounts_source_fkey FOREIGN KEY (source_id) REFERENCES muster.sources (id),
    CONSTRAINT accounts_identity_fkey FOREIGN KEY (identity_id) REFERENCES muster.identities (id) ON DELETE SET NULL
) WITH (fillfactor = 90);

CREATE INDEX accounts_identity ON muster.accounts (identity_id);
CREATE INDEX accounts_uncorrelated ON muster.accounts (source_id, id) WHERE identity_id IS NULL;
CREATE INDEX accounts_correlation_keys ON muster.accounts USING gin (correlation_keys) WHERE identity_id IS NULL;

-- The dirty set. Rows are only appended, and removed by the run that read them: a request written while a run works
-- survives it. There is no foreign key because its check would lock, and so touch, the identity's row.
CREATE TABLE muster.refresh_requests (
    id           bigint GENERATED ALWAYS AS IDENTITY,
    identity_id  uuid             NOT NULL,
    reason       text COLLATE "C" NOT NULL,
    requested_at timestamptz      NOT NULL,
    CONSTRAINT refresh_requests_pkey PRIMARY KEY (id)
);

CREATE INDEX refresh_requests_identity ON muster.refresh_requests (identity_id);

-- What a run notes of each identity it visited, narrow so that a visit which changes nothing rewrites no identity row.
CREATE TABLE muster.refresh_state (
    identity_id  uuid        NOT NULL,
    last_refresh timestamptz NOT NULL,
    CONSTRAINT refresh_state_pkey PRIMARY KEY (identity_id),
    CONSTRAINT refresh_state_identity_fkey FOREIGN KEY (identity_id) REFERENCES muster.identities (id) ON DELETE CASCADE
) WITH (fillfactor = 80);

-- The history. It outlives the identity, so identity_id is no foreign key. transaction_id lets a reader wait for
-- transactions that committed out of order.
CREATE TABLE muster.identity_events (
    id             bigint GENERATED ALWAYS AS IDENTITY,
    identity_id    uuid             NOT NULL,
    type           text COLLATE "C" NOT NULL,
    detail         jsonb            NOT NULL,
    at             timestamptz      NOT NULL,
    transaction_id xid8             NOT NULL DEFAULT pg_current_xact_id(),
    CONSTRAINT identity_events_pkey PRIMARY KEY (id)
);

CREATE INDEX identity_events_identity ON muster.identity_events (identity_id, id);

-- +goose Down
DROP TABLE muster.identity_events;
DROP TABLE muster.refresh_state;
DROP TABLE muster.refresh_requests;
DROP TABLE muster.accounts;
DROP TABLE muster.identity_keys;
DROP TABLE muster.identities;
