-- Keys of forms that were sent: what is sent twice is done once.

-- +goose Up

-- A digest is of a random key, of who sent the form, and of what it said. It tells of nobody.
CREATE TABLE muster.form_keys (
    digest  bytea       NOT NULL,
    expires timestamptz NOT NULL,
    CONSTRAINT form_keys_pkey PRIMARY KEY (digest),
    CONSTRAINT form_keys_digest CHECK (length(digest) = 32)
);
CREATE INDEX form_keys_expires ON muster.form_keys (expires);

-- +goose Down
DROP TABLE muster.form_keys;
