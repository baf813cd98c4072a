-- Tasks that are one piece of work for one worker: the aggregation of a source, and the removal of objects of the
-- configuration.

-- +goose Up

-- asked is what the worker has to know, by the kind of the task, and result is what it did. done counts the rows that
-- it has read so far.
CREATE TABLE muster.errands (
    task_id uuid   NOT NULL,
    asked   jsonb  NOT NULL,
    done    bigint NOT NULL DEFAULT 0,
    result  jsonb,
    CONSTRAINT errands_pkey PRIMARY KEY (task_id),
    CONSTRAINT errands_task_fkey FOREIGN KEY (task_id) REFERENCES muster.tasks (id) ON DELETE CASCADE
);

-- The text that was handed in for an aggregation, in pieces of whole lines, until the task has ended. A worker of any
-- process reads it.
CREATE TABLE muster.errand_texts (
    task_id uuid             NOT NULL,
    piece   integer          NOT NULL,
    data    text COLLATE "C" NOT NULL,
    CONSTRAINT errand_texts_pkey PRIMARY KEY (task_id, piece),
    CONSTRAINT errand_texts_task_fkey FOREIGN KEY (task_id) REFERENCES muster.tasks (id) ON DELETE CASCADE
);

-- +goose Down
DROP TABLE muster.errand_texts;
DROP TABLE muster.errands;
