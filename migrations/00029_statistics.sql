-- Counts that are stored, so that a page with numbers about everybody reads a few rows: one number for each day.

-- +goose Up

-- Which days were counted, in the tenant's time zone. A day that has no row was not counted: its numbers are unknown,
-- and not zero. What a counted day has no row of daily_statistics for is zero.
CREATE TABLE muster.statistics_days (
    kind    text COLLATE "C" NOT NULL,
    day     date             NOT NULL,
    counted timestamptz      NOT NULL, -- for the last time
    CONSTRAINT statistics_days_pkey PRIMARY KEY (kind, day),
    CONSTRAINT statistics_days_kind CHECK (kind IN ('POPULATION', 'MEMBERS', 'ACCOUNTS', 'FAILED', 'CHANGES'))
);

-- POPULATION counts identities: object_id is the identity profile, name the lifecycle state, state the identity state.
-- MEMBERS counts those of a role, ACCOUNTS those of a source, each as they were when the day was counted last. FAILED
-- counts the operations on a source that were given up on the day, and CHANGES the events of a type, name, on the day.
-- Numbers tell of nobody. An object may be gone by now, so object_id is no foreign key; it is zero for none.
CREATE TABLE muster.daily_statistics (
    kind      text COLLATE "C" NOT NULL,
    day       date             NOT NULL,
    object_id uuid             NOT NULL,
    name      text COLLATE "C" NOT NULL,
    state     text COLLATE "C" NOT NULL,
    count     bigint           NOT NULL,
    CONSTRAINT daily_statistics_pkey PRIMARY KEY (kind, day, object_id, name, state),
    CONSTRAINT daily_statistics_count CHECK (count >= 0)
) WITH (fillfactor = 80);
CREATE INDEX daily_statistics_object ON muster.daily_statistics (object_id, kind, day);

-- How far the counting is. Whoever counts has the row locked. Changes are counted by the positions of events, each
-- once, up to through, of days from since on.
CREATE TABLE muster.statistics_state (
    singleton boolean     NOT NULL DEFAULT true,
    through   bigint      NOT NULL DEFAULT 0,
    since     date,                                    -- null until something was counted
    counted   timestamptz,                             -- when all was counted last
    due       timestamptz NOT NULL DEFAULT 'epoch',    -- when it is to be counted again
    CONSTRAINT statistics_state_pkey PRIMARY KEY (singleton),
    CONSTRAINT statistics_state_singleton CHECK (singleton)
);
INSERT INTO muster.statistics_state DEFAULT VALUES;

-- The operations that were given up on a day.
CREATE INDEX provisioning_operations_failed ON muster.provisioning_operations (completed, source_id)
    WHERE state IN ('FAILED', 'RETRIED');

-- The roles that begin in some days, as role_assignments_remove_date has those that end.
CREATE INDEX role_assignments_start_date ON muster.role_assignments (start_date) WHERE start_date IS NOT NULL;

-- +goose Down
DROP INDEX muster.role_assignments_start_date;
DROP INDEX muster.provisioning_operations_failed;
DROP TABLE muster.statistics_state;
DROP TABLE muster.daily_statistics;
DROP TABLE muster.statistics_days;
