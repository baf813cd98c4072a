-- Invitations, verifications, and what users may do.

-- +goose Up
ALTER TABLE muster.identities ADD COLUMN user_levels text[] COLLATE "C" NOT NULL DEFAULT '{}';

-- One-time tokens are kept as their SHA-256 only. One is good until it is used, revoked or expired.
CREATE TABLE muster.one_time_tokens (
    digest      bytea            NOT NULL,
    identity_id uuid             NOT NULL,
    purpose     text COLLATE "C" NOT NULL,
    source_id   uuid, -- whose password it sets
    created     timestamptz      NOT NULL,
    expires     timestamptz      NOT NULL,
    used        timestamptz,
    revoked     timestamptz,
    CONSTRAINT one_time_tokens_pkey PRIMARY KEY (digest),
    CONSTRAINT one_time_tokens_identity_fkey FOREIGN KEY (identity_id) REFERENCES muster.identities (id) ON DELETE CASCADE,
    CONSTRAINT one_time_tokens_purpose CHECK (purpose IN ('INVITATION', 'VERIFICATION')),
    CONSTRAINT one_time_tokens_digest CHECK (length(digest) = 32)
);

CREATE INDEX one_time_tokens_open ON muster.one_time_tokens (identity_id, purpose) WHERE used IS NULL AND revoked IS NULL;

-- Messages that are to be sent, in the transaction that asked for them. The address and the token are found out when one
-- is sent, so that neither is kept.
CREATE TABLE muster.notifications (
    id          uuid             NOT NULL,
    task_id     uuid             NOT NULL,
    identity_id uuid             NOT NULL,
    purpose     text COLLATE "C" NOT NULL,
    via         text COLLATE "C" NOT NULL,
    source_id   uuid,
    state       text COLLATE "C" NOT NULL,
    attempts    integer          NOT NULL DEFAULT 0,
    leased      timestamptz, -- until when a worker has it; one that is gone leaves a lease that ends
    error       text COLLATE "C",
    created     timestamptz      NOT NULL,
    completed   timestamptz,
    CONSTRAINT notifications_pkey PRIMARY KEY (id),
    CONSTRAINT notifications_identity_fkey FOREIGN KEY (identity_id) REFERENCES muster.identities (id) ON DELETE CASCADE,
    CONSTRAINT notifications_task_fkey FOREIGN KEY (task_id) REFERENCES muster.tasks (id) ON DELETE CASCADE,
    CONSTRAINT notifications_state CHECK (state IN ('PENDING', 'SENT', 'FAILED', 'CANCELLED'))
);

CREATE INDEX notifications_task ON muster.notifications (task_id, id) WHERE state = 'PENDING';
CREATE INDEX notifications_identity ON muster.notifications (identity_id);

-- +goose Down
DROP TABLE muster.notifications;
DROP TABLE muster.one_time_tokens;
ALTER TABLE muster.identities DROP COLUMN user_levels;
