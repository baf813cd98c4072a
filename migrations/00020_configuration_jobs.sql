-- Exports and imports of the configuration, which clients ask for and download later.

-- +goose Up

-- The result is the JSON text that is downloaded. It is kept as it was written, and goes when the job expires.
CREATE TABLE muster.configuration_jobs (
    id          uuid        NOT NULL,
    kind        text        COLLATE "C" NOT NULL,
    status      text        COLLATE "C" NOT NULL,
    description text        NOT NULL,
    message     text        NOT NULL,
    result      text        NOT NULL,
    created     timestamptz NOT NULL,
    completed   timestamptz NOT NULL,
    expires     timestamptz NOT NULL,
    CONSTRAINT configuration_jobs_pkey PRIMARY KEY (id),
    CONSTRAINT configuration_jobs_kind CHECK (kind IN ('EXPORT', 'IMPORT')),
    CONSTRAINT configuration_jobs_status CHECK (status IN ('COMPLETE', 'FAILED'))
);
CREATE INDEX configuration_jobs_expires ON muster.configuration_jobs (expires);

-- +goose Down
DROP TABLE muster.configuration_jobs;
