-- What history, settings, jobs, accounts and operations stand on: order that does not depend on a server's transaction
-- numbers, actors, settings of the tenant, and keys that are known before a statement.

-- +goose Up

-- === History

-- === Configuration, settings and engines

-- === Tasks, requests and messages

-- A request is known by the statement that wrote it and its number there, a message by an ID that is made before it is
-- written. No sequence gives them, which a statement over the tables of a distributed schema could not do.
ALTER TABLE muster.refresh_requests ADD COLUMN request_id uuid;
ALTER TABLE muster.refresh_requests ADD COLUMN number integer;
UPDATE muster.refresh_requests r
SET request_id = '00000000-0000-7000-8000-000000000000', number = n.number
FROM (SELECT id, row_number() OVER (ORDER BY id) AS number FROM muster.refresh_requests) n
WHERE n.id = r.id;
ALTER TABLE muster.refresh_requests ALTER COLUMN request_id SET NOT NULL;
ALTER TABLE muster.refresh_requests ALTER COLUMN number SET NOT NULL;
DROP INDEX muster.refresh_requests_task;
ALTER TABLE muster.refresh_requests DROP CONSTRAINT refresh_requests_pkey;
ALTER TABLE muster.refresh_requests DROP COLUMN id;
ALTER TABLE muster.refresh_requests ADD CONSTRAINT refresh_requests_pkey PRIMARY KEY (request_id, number);
CREATE INDEX refresh_requests_task ON muster.refresh_requests (task_id, request_id, number);

ALTER TABLE muster.task_messages ADD COLUMN message_id uuid;
UPDATE muster.task_messages SET message_id = ('00000000-0000-7000-8000-' || lpad(to_hex(id), 12, '0'))::uuid;
ALTER TABLE muster.task_messages ALTER COLUMN message_id SET NOT NULL;
DROP INDEX muster.task_messages_task;
ALTER TABLE muster.task_messages DROP CONSTRAINT task_messages_pkey;
ALTER TABLE muster.task_messages DROP COLUMN id;
ALTER TABLE muster.task_messages RENAME COLUMN message_id TO id;
ALTER TABLE muster.task_messages ADD CONSTRAINT task_messages_pkey PRIMARY KEY (id);
CREATE INDEX task_messages_task ON muster.task_messages (task_id, id);

-- === Accounts and aggregation

-- The correlation keys of the accounts that have no identity, by which an identity that gets a key finds them. The
-- order in which the keys of an account count is that of accounts.correlation_keys.
CREATE TABLE muster.account_keys (
    key        text COLLATE "C" NOT NULL,
    account_id uuid             NOT NULL,
    CONSTRAINT account_keys_pkey PRIMARY KEY (key, account_id),
    CONSTRAINT account_keys_account_fkey FOREIGN KEY (account_id) REFERENCES muster.accounts (id) ON DELETE CASCADE
);

INSERT INTO muster.account_keys (key, account_id)
SELECT DISTINCT k.key, a.id
FROM muster.accounts a, unnest(a.correlation_keys) k (key)
WHERE a.identity_id IS NULL;

CREATE INDEX account_keys_account ON muster.account_keys (account_id);
DROP INDEX muster.accounts_correlation_keys;

-- What aggregations have read. An aggregation writes and removes its rows in one transaction, so nobody sees them.
-- Of accounts that have not changed there is one row for each block that was read, with parallel lists.
CREATE UNLOGGED TABLE muster.aggregation_seen (
    run_id            uuid               NOT NULL,
    place             bigint             NOT NULL, -- of the block: how many rows were read before it
    places            bigint[]           NOT NULL, -- of the accounts, among all rows that were read
    lines             bigint[]           NOT NULL,
    native_identities text[] COLLATE "C" NOT NULL,
    fingerprints      uuid[]             NOT NULL,
    CONSTRAINT aggregation_seen_pkey PRIMARY KEY (run_id, place)
);

CREATE UNLOGGED TABLE muster.aggregation_stage (
    run_id           uuid               NOT NULL,
    place            bigint             NOT NULL,
    line             bigint             NOT NULL,
    native_identity  text COLLATE "C"   NOT NULL,
    name             text COLLATE "C"   NOT NULL,
    name_key         text COLLATE "C"   NOT NULL,
    attributes       jsonb              NOT NULL,
    fingerprint      uuid               NOT NULL,
    correlation_keys text[] COLLATE "C" NOT NULL,
    account_id       uuid               NOT NULL,
    identity_id      uuid,
    CONSTRAINT aggregation_stage_pkey PRIMARY KEY (run_id, place)
);

-- === Operations and deliveries

-- +goose Down

-- === Operations and deliveries

-- === Accounts and aggregation

DROP TABLE muster.aggregation_stage;
DROP TABLE muster.aggregation_seen;
CREATE INDEX accounts_correlation_keys ON muster.accounts USING gin (correlation_keys) WHERE identity_id IS NULL;
DROP TABLE muster.account_keys;

-- === Tasks, requests and messages

ALTER TABLE muster.task_messages ADD COLUMN old_id bigint;
UPDATE muster.task_messages r
SET old_id = n.nth
FROM (SELECT id, row_number() OVER (ORDER BY id) AS nth FROM muster.task_messages) n
WHERE n.id = r.id;
DROP INDEX muster.task_messages_task;
ALTER TABLE muster.task_messages DROP CONSTRAINT task_messages_pkey;
ALTER TABLE muster.task_messages DROP COLUMN id;
ALTER TABLE muster.task_messages RENAME COLUMN old_id TO id;
ALTER TABLE muster.task_messages ALTER COLUMN id SET NOT NULL;
ALTER TABLE muster.task_messages ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY;
SELECT setval(pg_get_serial_sequence('muster.task_messages', 'id'), max(id)) FROM muster.task_messages;
ALTER TABLE muster.task_messages ADD CONSTRAINT task_messages_pkey PRIMARY KEY (id);
CREATE INDEX task_messages_task ON muster.task_messages (task_id, id);

ALTER TABLE muster.refresh_requests ADD COLUMN old_id bigint;
UPDATE muster.refresh_requests r
SET old_id = n.nth
FROM (SELECT request_id, number, row_number() OVER (ORDER BY request_id, number) AS nth FROM muster.refresh_requests) n
WHERE n.request_id = r.request_id AND n.number = r.number;
DROP INDEX muster.refresh_requests_task;
ALTER TABLE muster.refresh_requests DROP CONSTRAINT refresh_requests_pkey;
ALTER TABLE muster.refresh_requests DROP COLUMN request_id;
ALTER TABLE muster.refresh_requests DROP COLUMN number;
ALTER TABLE muster.refresh_requests RENAME COLUMN old_id TO id;
ALTER TABLE muster.refresh_requests ALTER COLUMN id SET NOT NULL;
ALTER TABLE muster.refresh_requests ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY;
SELECT setval(pg_get_serial_sequence('muster.refresh_requests', 'id'), max(id)) FROM muster.refresh_requests;
ALTER TABLE muster.refresh_requests ADD CONSTRAINT refresh_requests_pkey PRIMARY KEY (id);
CREATE INDEX refresh_requests_task ON muster.refresh_requests (task_id, id);

-- === Configuration, settings and engines

-- === History
