-- Passwords by which identities sign in to Muster itself, and attempts to.

-- +goose Up
CREATE TABLE muster.credentials (
    identity_id uuid             NOT NULL,
    hash        text COLLATE "C" NOT NULL, -- argon2id, in the PHC string format
    changed     timestamptz      NOT NULL,
    CONSTRAINT credentials_pkey PRIMARY KEY (identity_id),
    CONSTRAINT credentials_identity_fkey FOREIGN KEY (identity_id) REFERENCES muster.identities (id) ON DELETE CASCADE
);

-- One row for each network address, identity, or name of nobody that tries. The key is a SHA-256. Each attempt moves
-- spent on by some time; where it is too far ahead of now, the next attempt has to wait.
CREATE TABLE muster.attempts (
    key         bytea       NOT NULL,
    identity_id uuid, -- who it is about; null for an address, and for a name that nobody has
    spent       timestamptz NOT NULL,
    failures    integer     NOT NULL, -- since the last success
    expires     timestamptz NOT NULL, -- when the row is removed
    CONSTRAINT attempts_pkey PRIMARY KEY (key),
    CONSTRAINT attempts_identity_fkey FOREIGN KEY (identity_id) REFERENCES muster.identities (id) ON DELETE CASCADE,
    CONSTRAINT attempts_key CHECK (length(key) = 32)
);

CREATE INDEX attempts_identity ON muster.attempts (identity_id) WHERE identity_id IS NOT NULL;
CREATE INDEX attempts_expires ON muster.attempts (expires);

-- +goose Down
DROP TABLE muster.attempts;
DROP TABLE muster.credentials;
