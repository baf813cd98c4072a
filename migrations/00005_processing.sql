-- The runs of processing: what is to be done, how far it is, and what became of it.

-- +goose Up
CREATE TABLE muster.tasks (
    id                uuid             NOT NULL,
    kind              text COLLATE "C" NOT NULL,
    description       text COLLATE "C" NOT NULL,
    launcher          text COLLATE "C" NOT NULL,
    target_type       text COLLATE "C",
    target_id         uuid,
    target_name       text COLLATE "C",
    created           timestamptz      NOT NULL,
    modified          timestamptz      NOT NULL,
    launched          timestamptz,
    completed         timestamptz,
    completion_status text COLLATE "C",
    everybody         boolean          NOT NULL DEFAULT false, -- it is about all identities
    -- The guard: of how many identities its limit is a share, whether it waits for a confirmation, and whether it has
    -- one.
    population        bigint           NOT NULL DEFAULT 0,
    held              timestamptz,
    held_reason       text COLLATE "C",
    confirmed         timestamptz,
    -- What it did.
    identities        bigint           NOT NULL DEFAULT 0,
    changed           bigint           NOT NULL DEFAULT 0,
    errors            bigint           NOT NULL DEFAULT 0,
    warnings          bigint           NOT NULL DEFAULT 0,
    correlated        bigint           NOT NULL DEFAULT 0,
    roles_gained      bigint           NOT NULL DEFAULT 0,
    roles_lost        bigint           NOT NULL DEFAULT 0,
    role_losers       bigint           NOT NULL DEFAULT 0,
    lifecycle_changed bigint           NOT NULL DEFAULT 0,
    deactivated       bigint           NOT NULL DEFAULT 0,
    messages          bigint           NOT NULL DEFAULT 0,
    job_id            bigint,
    CONSTRAINT tasks_pkey PRIMARY KEY (id),
    CONSTRAINT tasks_completion_status CHECK (completion_status IN ('SUCCESS', 'WARNING', 'ERROR', 'TERMINATED',
        'TEMPERROR')),
    CONSTRAINT tasks_completed CHECK ((completed IS NULL) = (completion_status IS NULL))
) WITH (fillfactor = 70);

CREATE INDEX tasks_open ON muster.tasks (id) WHERE completed IS NULL;
CREATE INDEX tasks_created ON muster.tasks (created, id);

-- A run over all identities, or over those of a profile, reads them by ranges of their IDs: one worker a range. The
-- cursor is the last ID whose calculation is committed.
CREATE TABLE muster.task_parts (
    task_id    uuid    NOT NULL,
    part       integer NOT NULL,
    after_id   uuid, -- exclusive; null from the start
    last_id    uuid, -- inclusive; null to the end
    profile_id uuid, -- only the identities of this profile; null for all
    size       bigint  NOT NULL,
    done       bigint  NOT NULL DEFAULT 0,
    CONSTRAINT task_parts_pkey PRIMARY KEY (task_id, part),
    CONSTRAINT task_parts_task_fkey FOREIGN KEY (task_id) REFERENCES muster.tasks (id) ON DELETE CASCADE
);

CREATE TABLE muster.task_messages (
    id          bigint GENERATED ALWAYS AS IDENTITY,
    task_id     uuid             NOT NULL,
    type        text COLLATE "C" NOT NULL,
    key         text COLLATE "C" NOT NULL,
    identity_id uuid,
    text        text COLLATE "C" NOT NULL,
    at          timestamptz      NOT NULL,
    CONSTRAINT task_messages_pkey PRIMARY KEY (id),
    CONSTRAINT task_messages_task_fkey FOREIGN KEY (task_id) REFERENCES muster.tasks (id) ON DELETE CASCADE,
    CONSTRAINT task_messages_type CHECK (type IN ('INFO', 'WARN', 'ERROR'))
);

CREATE INDEX task_messages_task ON muster.task_messages (task_id, id);

-- The times of scheduled processing that were begun: the first to insert one runs it.
CREATE TABLE muster.schedule_slots (
    slot       timestamptz NOT NULL,
    begun      timestamptz NOT NULL,
    task_id    uuid        NOT NULL,
    identities bigint      NOT NULL,
    CONSTRAINT schedule_slots_pkey PRIMARY KEY (slot)
);

-- Every request belongs to a task. There is no foreign key, so that a task is only written where there are requests.
ALTER TABLE muster.refresh_requests ADD COLUMN task_id uuid;

WITH task AS (
    INSERT INTO muster.tasks (id, kind, description, launcher, created, modified, population)
    SELECT gen_random_uuid(), 'IDENTITY_REFRESH', 'Refresh of the identities that were marked before the upgrade', 'muster', now(), now(),
           count(*)
    FROM muster.refresh_requests
    HAVING count(*) > 0
    RETURNING id
)
UPDATE muster.refresh_requests SET task_id = task.id FROM task;

ALTER TABLE muster.refresh_requests ALTER COLUMN task_id SET NOT NULL;
CREATE INDEX refresh_requests_task ON muster.refresh_requests (task_id, id);

-- From when on a refresh may find something else though nothing but the time has changed.
ALTER TABLE muster.refresh_state ADD COLUMN due timestamptz;
ALTER TABLE muster.refresh_state ALTER COLUMN last_refresh DROP NOT NULL; -- an identity can be due before its first one
CREATE INDEX refresh_state_due ON muster.refresh_state (due) WHERE due IS NOT NULL;

-- A run over everybody writes no row of an identity in which nothing differs. All that were created before this time
-- were refreshed after it.
CREATE TABLE muster.refresh_watermark (
    singleton boolean NOT NULL DEFAULT true,
    at        timestamptz,
    CONSTRAINT refresh_watermark_pkey PRIMARY KEY (singleton),
    CONSTRAINT refresh_watermark_singleton CHECK (singleton)
);

INSERT INTO muster.refresh_watermark (singleton) VALUES (true);

CREATE INDEX role_assignments_remove_date ON muster.role_assignments (remove_date) WHERE remove_date IS NOT NULL;

-- Readers of events go by this number and the id, up to the oldest transaction that still runs. The transaction's own
-- number would put one that began early and wrote late before those that it waited for; the newest number that had
-- ended when the event was written keeps the events of an identity in order, and is never above the horizon of a
-- reader who can see the event.
ALTER TABLE muster.identity_events
    ALTER COLUMN transaction_id SET DEFAULT greatest(pg_current_xact_id(),
        (pg_snapshot_xmax(pg_current_snapshot())::text::bigint - 1)::text::xid8);
CREATE INDEX identity_events_transaction ON muster.identity_events (transaction_id, id);

-- +goose Down
DROP INDEX muster.identity_events_transaction;
ALTER TABLE muster.identity_events ALTER COLUMN transaction_id SET DEFAULT pg_current_xact_id();
DROP INDEX muster.role_assignments_remove_date;
DROP TABLE muster.refresh_watermark;
DELETE FROM muster.refresh_state WHERE last_refresh IS NULL;
ALTER TABLE muster.refresh_state ALTER COLUMN last_refresh SET NOT NULL;
ALTER TABLE muster.refresh_state DROP COLUMN due;
ALTER TABLE muster.refresh_requests DROP COLUMN task_id;
DROP TABLE muster.schedule_slots;
DROP TABLE muster.task_messages;
DROP TABLE muster.task_parts;
DROP TABLE muster.tasks;
