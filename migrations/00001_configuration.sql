-- The configuration of a tenant: one row for its version, and each object as a document in its published shape beside
-- the columns that are searched.

-- +goose Up
CREATE TABLE muster.configuration (
    singleton boolean NOT NULL DEFAULT true,
    version   bigint  NOT NULL DEFAULT 0,
    CONSTRAINT configuration_pkey PRIMARY KEY (singleton),
    CONSTRAINT configuration_singleton CHECK (singleton)
);

-- Versions come from a sequence, so that one which was rolled back is never given again to another configuration.
CREATE SEQUENCE muster.configuration_version;

INSERT INTO muster.configuration (singleton) VALUES (true);

CREATE TABLE muster.identity_attributes (
    name       text COLLATE "C" NOT NULL,
    searchable boolean          NOT NULL,
    document   jsonb            NOT NULL,
    created    timestamptz      NOT NULL,
    modified   timestamptz      NOT NULL,
    CONSTRAINT identity_attributes_pkey PRIMARY KEY (name)
);

CREATE TABLE muster.transforms (
    id       uuid             NOT NULL,
    name     text COLLATE "C" NOT NULL,
    name_key text COLLATE "C" NOT NULL,
    document jsonb            NOT NULL,
    created  timestamptz      NOT NULL,
    modified timestamptz      NOT NULL,
    CONSTRAINT transforms_pkey PRIMARY KEY (id),
    CONSTRAINT transforms_name_unique UNIQUE (name_key)
);

CREATE TABLE muster.sources (
    id       uuid             NOT NULL,
    name     text COLLATE "C" NOT NULL,
    name_key text COLLATE "C" NOT NULL,
    document jsonb            NOT NULL,
    created  timestamptz      NOT NULL,
    modified timestamptz      NOT NULL,
    CONSTRAINT sources_pkey PRIMARY KEY (id),
    CONSTRAINT sources_name_unique UNIQUE (name_key)
);

CREATE TABLE muster.identity_profiles (
    id                      uuid             NOT NULL,
    name                    text COLLATE "C" NOT NULL,
    name_key                text COLLATE "C" NOT NULL,
    priority                bigint           NOT NULL,
    authoritative_source_id uuid             NOT NULL,
    document                jsonb            NOT NULL,
    created                 timestamptz      NOT NULL,
    modified                timestamptz      NOT NULL,
    CONSTRAINT identity_profiles_pkey PRIMARY KEY (id),
    CONSTRAINT identity_profiles_name_unique UNIQUE (name_key),
    CONSTRAINT identity_profiles_source_unique UNIQUE (authoritative_source_id),
    CONSTRAINT identity_profiles_source_fkey FOREIGN KEY (authoritative_source_id) REFERENCES muster.sources (id)
);

CREATE TABLE muster.lifecycle_states (
    id             uuid             NOT NULL,
    profile_id     uuid             NOT NULL,
    technical_name text COLLATE "C" NOT NULL,
    document       jsonb            NOT NULL,
    created        timestamptz      NOT NULL,
    modified       timestamptz      NOT NULL,
    CONSTRAINT lifecycle_states_pkey PRIMARY KEY (id),
    CONSTRAINT lifecycle_states_technical_name_unique UNIQUE (profile_id, technical_name),
    CONSTRAINT lifecycle_states_profile_fkey FOREIGN KEY (profile_id) REFERENCES muster.identity_profiles (id) ON DELETE CASCADE
);

CREATE TABLE muster.roles (
    id       uuid             NOT NULL,
    name     text COLLATE "C" NOT NULL,
    name_key text COLLATE "C" NOT NULL,
    enabled  boolean          NOT NULL,
    document jsonb            NOT NULL,
    created  timestamptz      NOT NULL,
    modified timestamptz      NOT NULL,
    CONSTRAINT roles_pkey PRIMARY KEY (id),
    CONSTRAINT roles_name_unique UNIQUE (name_key)
);

CREATE TABLE muster.entitlements (
    id        uuid             NOT NULL,
    source_id uuid             NOT NULL,
    attribute text COLLATE "C" NOT NULL,
    value     text COLLATE "C" NOT NULL,
    name      text COLLATE "C" NOT NULL,
    document  jsonb            NOT NULL DEFAULT '{}',
    created   timestamptz      NOT NULL,
    modified  timestamptz      NOT NULL,
    CONSTRAINT entitlements_pkey PRIMARY KEY (id),
    CONSTRAINT entitlements_value_unique UNIQUE (source_id, attribute, value),
    CONSTRAINT entitlements_source_fkey FOREIGN KEY (source_id) REFERENCES muster.sources (id) ON DELETE CASCADE
);

-- +goose Down
DROP TABLE muster.entitlements;
DROP TABLE muster.roles;
DROP TABLE muster.lifecycle_states;
DROP TABLE muster.identity_profiles;
DROP TABLE muster.sources;
DROP TABLE muster.transforms;
DROP TABLE muster.identity_attributes;
DROP SEQUENCE muster.configuration_version;
DROP TABLE muster.configuration;
