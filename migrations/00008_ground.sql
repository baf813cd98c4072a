-- What history, settings, jobs, accounts and operations stand on: order that does not depend on a server's transaction
-- numbers, actors, settings of the tenant, and keys that are known before a statement.

-- +goose Up

-- === History

-- === Configuration, settings and engines

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

-- === Accounts and aggregation

-- === Operations and deliveries

-- +goose Down

-- === Operations and deliveries

-- === Accounts and aggregation

-- === Tasks, requests and messages

-- === Configuration, settings and engines

DROP TABLE muster.engines;

ALTER TABLE muster.configuration
    DROP COLUMN settings,
    DROP COLUMN settled;

-- === History
