-- What history, settings, jobs, accounts and operations stand on: order that does not depend on a server's transaction
-- numbers, actors, settings of the tenant, and keys that are known before a statement.

-- +goose Up

-- === History

-- A write of the engine that has events. sequence puts the writes that have no position in order: for an identity it is
-- the order of their transactions, since each draws its number while it has the identity locked. position is that of the
-- first event. It is given after the commit, by one numberer at a time (event_positions), so that a reader who sees a
-- position sees all that are below it. Rows are inserted by VALUES alone: of INSERT ... SELECT nobody knows in which
-- order, and on which server, an identity column is evaluated.
ALTER TABLE muster.identity_events RENAME TO moved_events;

CREATE TABLE muster.event_writes (
    id         uuid             NOT NULL,
    sequence   bigint GENERATED ALWAYS AS IDENTITY,
    position   bigint,
    events     integer          NOT NULL,
    at         timestamptz      NOT NULL,
    task_id    uuid,
    actor_id   text COLLATE "C" NOT NULL,
    actor_name text             NOT NULL,
    actor_via  text COLLATE "C" NOT NULL
);

-- The history. It outlives the identity, so identity_id is no foreign key. One row is what happened to an identity in a
-- write; detail has a member for each of its types. The position of an event is that of its write + number - 1.
CREATE TABLE muster.identity_events (
    write_id    uuid               NOT NULL,
    number      integer            NOT NULL,
    identity_id uuid               NOT NULL,
    types       text[] COLLATE "C" NOT NULL,
    detail      jsonb              NOT NULL
);

-- last is the last position that was given, purged the last one whose event was purged. The row is locked by whoever
-- gives positions or takes them away.
CREATE TABLE muster.event_positions (
    singleton boolean NOT NULL DEFAULT true,
    last      bigint  NOT NULL DEFAULT 0,
    purged    bigint  NOT NULL DEFAULT 0,
    CONSTRAINT event_positions_pkey PRIMARY KEY (singleton),
    CONSTRAINT event_positions_singleton CHECK (singleton)
);

-- The events that are there: what one transaction did becomes one write, in the order in which readers got them. The ID
-- of a write is a UUID of version 7: the time, never less than that of the write before, 42 bits with the place of the
-- write, and 32 bits in which a place differs from the same place of another history.
CREATE UNLOGGED TABLE muster.moved_writes AS
SELECT w.transaction_id, w.at, w.place,
       (lpad(to_hex(w.milliseconds), 12, '0') || '7' || lpad(to_hex((w.place >> 30) & 4095), 3, '0') ||
        to_hex(8 + ((w.place >> 28) & 3)) || lpad(to_hex(w.place & 268435455), 7, '0') ||
        left(md5(concat_ws(' ', w.transaction_id, w.first_id, w.at)), 8))::uuid AS id
FROM (SELECT transaction_id, at, first_id, row_number() OVER o AS place,
             (extract(epoch FROM max(at) OVER o) * 1000)::bigint AS milliseconds
      FROM (SELECT transaction_id, at, min(id) AS first_id FROM muster.moved_events GROUP BY transaction_id, at) f
      WINDOW o AS (ORDER BY transaction_id, first_id)) w;

INSERT INTO muster.identity_events (write_id, number, identity_id, types, detail)
SELECT w.id, row_number() OVER (PARTITION BY w.place ORDER BY r.first_id), r.identity_id, r.types, r.detail
FROM (SELECT transaction_id, at, identity_id, min(first_id) AS first_id, array_agg(type ORDER BY rank, type) AS types,
             jsonb_object_agg(member, detail) AS detail
      FROM (SELECT transaction_id, at, identity_id, type, min(id) AS first_id,
                   CASE type WHEN 'IDENTITY_CREATED' THEN 1 WHEN 'IDENTITY_ATTRIBUTES_CHANGED' THEN 2
                             WHEN 'IDENTITY_ROLES_CHANGED' THEN 3 WHEN 'IDENTITY_STATE_CHANGED' THEN 4
                             WHEN 'IDENTITY_PROVISIONED' THEN 5 ELSE 6 END AS rank,
                   CASE type WHEN 'IDENTITY_CREATED' THEN 'created' WHEN 'IDENTITY_ATTRIBUTES_CHANGED' THEN 'attributes'
                             WHEN 'IDENTITY_ROLES_CHANGED' THEN 'roles' WHEN 'IDENTITY_STATE_CHANGED' THEN 'states'
                             WHEN 'IDENTITY_PROVISIONED' THEN 'provisioned' WHEN 'IDENTITY_DELETED' THEN 'deleted'
                             ELSE lower(type) END AS member,
                   CASE type
                   WHEN 'IDENTITY_ATTRIBUTES_CHANGED' THEN
                       jsonb_path_query_array(jsonb_agg(detail ORDER BY id), '$[*].changes[*]')
                   WHEN 'IDENTITY_ROLES_CHANGED' THEN jsonb_build_object(
                       'gained', jsonb_path_query_array(jsonb_agg(detail ORDER BY id), '$[*].gained[*]'),
                       'lost', jsonb_path_query_array(jsonb_agg(detail ORDER BY id), '$[*].lost[*]'))
                   WHEN 'IDENTITY_STATE_CHANGED' THEN CASE count(*) WHEN 1 THEN (array_agg(detail))[1] ELSE (
                       SELECT jsonb_object_agg(s.name, jsonb_build_object('oldValue', s.olds -> 0,
                                                                          'newValue', s.news -> -1))
                       FROM (SELECT m.key AS name, jsonb_agg(m.value -> 'oldValue' ORDER BY d.nth) AS olds,
                                    jsonb_agg(m.value -> 'newValue' ORDER BY d.nth) AS news
                             FROM jsonb_array_elements(jsonb_agg(e.detail ORDER BY e.id)) WITH ORDINALITY d (detail, nth),
                                  jsonb_each(d.detail) m
                             GROUP BY m.key) s) END
                   WHEN 'IDENTITY_PROVISIONED' THEN jsonb_agg(detail ORDER BY id)
                   ELSE (array_agg(detail ORDER BY id DESC))[1] END AS detail
            FROM muster.moved_events e
            GROUP BY transaction_id, at, identity_id, type) t
      GROUP BY transaction_id, at, identity_id) r
JOIN muster.moved_writes w ON w.transaction_id = r.transaction_id AND w.at = r.at;

INSERT INTO muster.event_writes (id, position, events, at, actor_id, actor_name, actor_via)
SELECT w.id, sum(c.events) OVER (ORDER BY w.place) - c.events + 1, c.events, w.at, '', '', ''
FROM (SELECT write_id, count(*) AS events FROM muster.identity_events GROUP BY write_id) c
JOIN muster.moved_writes w ON w.id = c.write_id
ORDER BY w.place;

INSERT INTO muster.event_positions (last) SELECT coalesce(sum(events), 0) FROM muster.event_writes;

DROP TABLE muster.moved_writes;
DROP TABLE muster.moved_events;

ALTER TABLE muster.event_writes ADD CONSTRAINT event_writes_pkey PRIMARY KEY (id);
CREATE UNIQUE INDEX event_writes_position ON muster.event_writes (position) WHERE position IS NOT NULL;
CREATE INDEX event_writes_pending ON muster.event_writes (sequence) WHERE position IS NULL;
CREATE INDEX event_writes_task ON muster.event_writes (task_id, id) WHERE task_id IS NOT NULL;
CREATE INDEX event_writes_actor ON muster.event_writes (actor_id, id) WHERE actor_id <> '';

ALTER TABLE muster.identity_events ADD CONSTRAINT identity_events_pkey PRIMARY KEY (write_id, number);
CREATE INDEX identity_events_identity ON muster.identity_events (identity_id, write_id, number);

-- One index for each type, so that the events of a rare type are found, the latest first, without the others.
CREATE INDEX identity_events_created ON muster.identity_events (write_id, number)
    WHERE 'IDENTITY_CREATED' = ANY (types);
CREATE INDEX identity_events_attributes_changed ON muster.identity_events (write_id, number)
    WHERE 'IDENTITY_ATTRIBUTES_CHANGED' = ANY (types);
CREATE INDEX identity_events_roles_changed ON muster.identity_events (write_id, number)
    WHERE 'IDENTITY_ROLES_CHANGED' = ANY (types);
CREATE INDEX identity_events_state_changed ON muster.identity_events (write_id, number)
    WHERE 'IDENTITY_STATE_CHANGED' = ANY (types);
CREATE INDEX identity_events_lifecycle_state_set ON muster.identity_events (write_id, number)
    WHERE 'IDENTITY_LIFECYCLE_STATE_SET' = ANY (types);
CREATE INDEX identity_events_provisioned ON muster.identity_events (write_id, number)
    WHERE 'IDENTITY_PROVISIONED' = ANY (types);
CREATE INDEX identity_events_protection_changed ON muster.identity_events (write_id, number)
    WHERE 'IDENTITY_PROTECTION_CHANGED' = ANY (types);
CREATE INDEX identity_events_user_levels_changed ON muster.identity_events (write_id, number)
    WHERE 'IDENTITY_USER_LEVELS_CHANGED' = ANY (types);
CREATE INDEX identity_events_ownership_changed ON muster.identity_events (write_id, number)
    WHERE 'IDENTITY_OWNERSHIP_CHANGED' = ANY (types);
CREATE INDEX identity_events_invited ON muster.identity_events (write_id, number)
    WHERE 'IDENTITY_INVITED' = ANY (types);
CREATE INDEX identity_events_registered ON muster.identity_events (write_id, number)
    WHERE 'IDENTITY_REGISTERED' = ANY (types);
CREATE INDEX identity_events_reset ON muster.identity_events (write_id, number)
    WHERE 'IDENTITY_RESET' = ANY (types);
CREATE INDEX identity_events_verification_requested ON muster.identity_events (write_id, number)
    WHERE 'IDENTITY_VERIFICATION_REQUESTED' = ANY (types);
CREATE INDEX identity_events_verified ON muster.identity_events (write_id, number)
    WHERE 'IDENTITY_VERIFIED' = ANY (types);
CREATE INDEX identity_events_deleted ON muster.identity_events (write_id, number)
    WHERE 'IDENTITY_DELETED' = ANY (types);

-- === Configuration, settings and engines

-- Each change of the configuration: who made it, when and why. The version is that of the configuration after it.
-- Revisions are never removed.
CREATE TABLE muster.configuration_revisions (
    version    bigint           NOT NULL,
    at         timestamptz      NOT NULL,
    actor_id   text COLLATE "C" NOT NULL,
    actor_name text COLLATE "C" NOT NULL,
    actor_via  text COLLATE "C" NOT NULL,
    comment    text COLLATE "C" NOT NULL,
    CONSTRAINT configuration_revisions_pkey PRIMARY KEY (version)
);

-- The objects that a change created, changed or removed, with their documents before and after it. No foreign key: they
-- are written with their revision, in one transaction, and neither is ever removed.
CREATE TABLE muster.configuration_revision_objects (
    version bigint           NOT NULL,
    number  integer          NOT NULL, -- from 1 on, by type and name
    type    text COLLATE "C" NOT NULL,
    id      uuid, -- null for an identity attribute, which has none
    name    text COLLATE "C" NOT NULL,
    before  jsonb, -- null for an object that was created
    after   jsonb, -- null for one that was removed
    CONSTRAINT configuration_revision_objects_pkey PRIMARY KEY (version, number)
);

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

-- Who launched a task, with launcher as the name; who confirmed it and who cancelled it. Empty where nobody did, and in
-- tasks from before, where it was not recorded.
ALTER TABLE muster.tasks
    ADD COLUMN actor_id       text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN actor_via      text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN confirmer_id   text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN confirmer_name text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN confirmer_via  text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN canceller_id   text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN canceller_name text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN canceller_via  text COLLATE "C" NOT NULL DEFAULT '';

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

-- A lease has an owner, the engine that took it, and a number that grows each time. A worker that was paused and comes
-- back finds another number, and writes nothing.
ALTER TABLE muster.provisioning_batches
    ADD COLUMN lease_owner  uuid,
    ADD COLUMN lease_number bigint NOT NULL DEFAULT 0;
ALTER TABLE muster.notifications ADD COLUMN lease_owner uuid; -- its attempts are the number

-- A parked operation is held back until somebody releases it. The cause says why, the parker who held it back.
ALTER TABLE muster.provisioning_operations
    ADD COLUMN parked       timestamptz,
    ADD COLUMN parked_cause text COLLATE "C",
    ADD COLUMN parker_id    text COLLATE "C",
    ADD COLUMN parker_name  text COLLATE "C",
    ADD COLUMN parker_via   text COLLATE "C",
    DROP CONSTRAINT provisioning_operations_state,
    ADD CONSTRAINT provisioning_operations_state CHECK (state IN ('OPEN', 'MANUAL', 'PARKED', 'DONE', 'FAILED',
        'RETRIED', 'CANCELLED')),
    ADD CONSTRAINT provisioning_operations_parked CHECK ((state = 'PARKED') = (parked IS NOT NULL)
        AND (parked IS NULL) = (parked_cause IS NULL));
DROP INDEX muster.provisioning_operations_open;
CREATE UNIQUE INDEX provisioning_operations_open ON muster.provisioning_operations
    (identity_id, source_id, coalesce(account_id, '00000000-0000-0000-0000-000000000000'), attribute, value)
    WHERE state IN ('OPEN', 'MANUAL', 'PARKED');
DROP INDEX muster.provisioning_operations_pending;
CREATE INDEX provisioning_operations_pending ON muster.provisioning_operations (identity_id, id)
    WHERE state IN ('OPEN', 'MANUAL', 'PARKED', 'FAILED');

-- For whom an operation was planned, and by which task. The task may be gone by now. Empty in operations from before.
ALTER TABLE muster.provisioning_operations
    ADD COLUMN actor_id   text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN actor_name text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN actor_via  text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN task_id    uuid;

-- +goose Down

-- === Operations and deliveries

-- The tables before know no parked operation. A later processing opens it again if it is still wanted.
UPDATE muster.provisioning_operations SET state = 'CANCELLED', completed = parked, error = parked_cause, parked = NULL,
    parked_cause = NULL
WHERE state = 'PARKED';
DROP INDEX muster.provisioning_operations_pending;
CREATE INDEX provisioning_operations_pending ON muster.provisioning_operations (identity_id, id)
    WHERE state IN ('OPEN', 'MANUAL', 'FAILED');
DROP INDEX muster.provisioning_operations_open;
CREATE UNIQUE INDEX provisioning_operations_open ON muster.provisioning_operations
    (identity_id, source_id, coalesce(account_id, '00000000-0000-0000-0000-000000000000'), attribute, value)
    WHERE state IN ('OPEN', 'MANUAL');
ALTER TABLE muster.provisioning_operations
    DROP CONSTRAINT provisioning_operations_parked,
    DROP CONSTRAINT provisioning_operations_state,
    ADD CONSTRAINT provisioning_operations_state CHECK (state IN ('OPEN', 'MANUAL', 'DONE', 'FAILED', 'RETRIED',
        'CANCELLED')),
    DROP COLUMN parked,
    DROP COLUMN parked_cause,
    DROP COLUMN parker_id,
    DROP COLUMN parker_name,
    DROP COLUMN parker_via;
ALTER TABLE muster.notifications DROP COLUMN lease_owner;
ALTER TABLE muster.provisioning_batches DROP COLUMN lease_owner, DROP COLUMN lease_number;

ALTER TABLE muster.provisioning_operations
    DROP COLUMN actor_id,
    DROP COLUMN actor_name,
    DROP COLUMN actor_via,
    DROP COLUMN task_id;

-- === Accounts and aggregation

DROP TABLE muster.aggregation_stage;
DROP TABLE muster.aggregation_seen;
CREATE INDEX accounts_correlation_keys ON muster.accounts USING gin (correlation_keys) WHERE identity_id IS NULL;
DROP TABLE muster.account_keys;

-- === Tasks, requests and messages

ALTER TABLE muster.tasks
    DROP COLUMN actor_id,
    DROP COLUMN actor_via,
    DROP COLUMN confirmer_id,
    DROP COLUMN confirmer_name,
    DROP COLUMN confirmer_via,
    DROP COLUMN canceller_id,
    DROP COLUMN canceller_name,
    DROP COLUMN canceller_via;

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

DROP TABLE muster.configuration_revision_objects;
DROP TABLE muster.configuration_revisions;

DROP TABLE muster.engines;

ALTER TABLE muster.configuration
    DROP COLUMN settings,
    DROP COLUMN settled;

-- === History

-- Each type becomes a row again, in the order of the positions. All get the number of this transaction, as readers who
-- begin at the start need it.
ALTER TABLE muster.identity_events RENAME TO moved_events;
ALTER TABLE muster.moved_events RENAME CONSTRAINT identity_events_pkey TO moved_events_pkey;
DROP INDEX muster.identity_events_identity;

CREATE TABLE muster.identity_events (
    id             bigint GENERATED ALWAYS AS IDENTITY,
    identity_id    uuid             NOT NULL,
    type           text COLLATE "C" NOT NULL,
    detail         jsonb            NOT NULL,
    at             timestamptz      NOT NULL,
    transaction_id xid8             NOT NULL DEFAULT greatest(pg_current_xact_id(),
        (pg_snapshot_xmax(pg_current_snapshot())::text::bigint - 1)::text::xid8),
    CONSTRAINT identity_events_pkey PRIMARY KEY (id)
);

INSERT INTO muster.identity_events (identity_id, type, detail, at)
SELECT e.identity_id, t.type, m.detail, w.at
FROM muster.event_writes w
JOIN muster.moved_events e ON e.write_id = w.id
CROSS JOIN LATERAL unnest(e.types) WITH ORDINALITY t (type, nth)
CROSS JOIN LATERAL (
    SELECT jsonb_build_object('changes', e.detail -> 'attributes') WHERE t.type = 'IDENTITY_ATTRIBUTES_CHANGED'
    UNION ALL
    SELECT p.value FROM jsonb_array_elements(e.detail -> 'provisioned') p WHERE t.type = 'IDENTITY_PROVISIONED'
    UNION ALL
    SELECT coalesce(CASE t.type WHEN 'IDENTITY_CREATED' THEN e.detail -> 'created'
                                WHEN 'IDENTITY_ROLES_CHANGED' THEN e.detail -> 'roles'
                                WHEN 'IDENTITY_STATE_CHANGED' THEN e.detail -> 'states'
                                WHEN 'IDENTITY_DELETED' THEN e.detail -> 'deleted'
                                ELSE e.detail END, '{}')
    WHERE t.type NOT IN ('IDENTITY_ATTRIBUTES_CHANGED', 'IDENTITY_PROVISIONED')) m (detail)
ORDER BY w.position, w.sequence, e.number, t.nth;

CREATE INDEX identity_events_identity ON muster.identity_events (identity_id, id);
CREATE INDEX identity_events_transaction ON muster.identity_events (transaction_id, id);

DROP TABLE muster.moved_events;
DROP TABLE muster.event_positions;
DROP TABLE muster.event_writes;
