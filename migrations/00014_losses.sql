-- The guard counts what identities lose, kind by kind, adds it up by what caused it, and looks at everybody before the
-- first batch.

-- +goose Up

-- How many identities lost something: by cause, by kind, and by the source and the attribute where it was lost.
CREATE TABLE muster.guard_losses (
    -- TASK: what the batches of a task wrote, and of those that follow from it. SURVEY: what the survey of a task found.
    -- CONFIGURATION: what was written under a version of the configuration.
    cause      text COLLATE "C" NOT NULL,
    cause_id   text COLLATE "C" NOT NULL, -- the ID of the task, or the version
    kind       text COLLATE "C" NOT NULL,
    source_id  uuid             NOT NULL, -- zero for none
    attribute  text COLLATE "C" NOT NULL, -- of the identity, or of the accounts of the source; '' for none
    identities bigint           NOT NULL,
    at         timestamptz      NOT NULL, -- of the last addition
    CONSTRAINT guard_losses_pkey PRIMARY KEY (cause_id, cause, kind, source_id, attribute)
) WITH (fillfactor = 70);

CREATE INDEX guard_losses_at ON muster.guard_losses (at);

-- The task from which this one follows; null for itself.
ALTER TABLE muster.tasks ADD COLUMN cause_id uuid;

INSERT INTO muster.guard_losses (cause, cause_id, kind, source_id, attribute, identities, at)
SELECT 'TASK', replace(t.id::text, '-', ''), l.kind, '00000000-0000-0000-0000-000000000000', '', l.identities,
       t.modified
FROM muster.tasks t
CROSS JOIN LATERAL (VALUES ('ROLE', t.role_losers), ('LIFECYCLE_STATE', t.lifecycle_changed),
                           ('ACTIVITY', t.deactivated)) l (kind, identities)
WHERE t.completed IS NULL AND l.identities > 0;

ALTER TABLE muster.tasks DROP COLUMN role_losers;

-- A part that is surveyed: the guard looks at its identities before the first batch of the task is written. Such a part
-- may be one of requests, with the ID of their statement and the range of their numbers.
ALTER TABLE muster.task_parts
    ADD COLUMN survey       boolean NOT NULL DEFAULT false,
    ADD COLUMN request_id   uuid,
    ADD COLUMN after_number integer, -- exclusive
    ADD COLUMN last_number  integer, -- inclusive
    ADD CONSTRAINT task_parts_request CHECK (request_id IS NULL
        OR survey AND after_number IS NOT NULL AND last_number IS NOT NULL);

-- +goose Down
DELETE FROM muster.task_parts WHERE request_id IS NOT NULL;
ALTER TABLE muster.task_parts
    DROP CONSTRAINT task_parts_request,
    DROP COLUMN survey,
    DROP COLUMN request_id,
    DROP COLUMN after_number,
    DROP COLUMN last_number;
ALTER TABLE muster.tasks ADD COLUMN role_losers bigint NOT NULL DEFAULT 0;
UPDATE muster.tasks t SET role_losers = l.identities
FROM muster.guard_losses l
WHERE l.cause = 'TASK' AND l.cause_id = replace(t.id::text, '-', '') AND l.kind = 'ROLE';
ALTER TABLE muster.tasks DROP COLUMN cause_id;
DROP TABLE muster.guard_losses;
