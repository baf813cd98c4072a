-- Sessions of people who are signed in to a face of the engine, such as the console.

-- +goose Up

-- Of the token that the browser keeps only the SHA-256 is stored. expires moves on while the session is used, up to the
-- longest time that a session may take. The note is what the next page tells, as the face wrote it.
CREATE TABLE muster.sessions (
    digest    bytea       NOT NULL,
    user_id   text        COLLATE "C" NOT NULL,
    user_name text        NOT NULL,
    levels    text[]      NOT NULL,
    note      text        NOT NULL DEFAULT '',
    created   timestamptz NOT NULL,
    seen      timestamptz NOT NULL,
    expires   timestamptz NOT NULL,
    CONSTRAINT sessions_pkey PRIMARY KEY (digest),
    CONSTRAINT sessions_digest CHECK (length(digest) = 32)
);
CREATE INDEX sessions_user ON muster.sessions (user_id);
CREATE INDEX sessions_expires ON muster.sessions (expires);

-- +goose Down
DROP TABLE muster.sessions;
