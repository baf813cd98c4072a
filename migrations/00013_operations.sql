-- Operations that wait for the first complete reading of their source, what came of an operation besides what was
-- asked, and the history of operations that are held back.

-- +goose Up

-- AGGREGATION for the creation of an account on a source that was never read completely: the first complete
-- aggregation ends the waiting. Null for an operation that waits for nothing but a person.
-- The outcome says what came of an operation where that is not what was asked: the account was there already and was
-- linked, or it was gone before the operation was carried out.
ALTER TABLE muster.provisioning_operations
    ADD COLUMN awaits  text COLLATE "C",
    ADD COLUMN outcome text COLLATE "C",
    ADD CONSTRAINT provisioning_operations_awaits CHECK (awaits IS NULL OR awaits = 'AGGREGATION' AND state = 'PARKED');

-- When the source was read completely for the last time, by its connector or from a text. A source that has accounts
-- which no operation created was read before this was recorded.
ALTER TABLE muster.source_aggregations ADD COLUMN complete timestamptz;
UPDATE muster.source_aggregations SET complete = last;
INSERT INTO muster.source_aggregations (source_id, complete)
SELECT a.source_id, min(a.created)
FROM muster.accounts a
JOIN muster.sources s ON s.id = a.source_id
WHERE NOT EXISTS (SELECT 1 FROM muster.provisioning_operations o WHERE o.account_id = a.id AND o.kind = 'CREATE')
GROUP BY a.source_id
ON CONFLICT (source_id) DO UPDATE SET complete = coalesce(source_aggregations.complete, excluded.complete);

CREATE INDEX identity_events_operation_parked ON muster.identity_events (write_id, number)
    WHERE 'IDENTITY_OPERATION_PARKED' = ANY (types);
CREATE INDEX identity_events_operation_released ON muster.identity_events (write_id, number)
    WHERE 'IDENTITY_OPERATION_RELEASED' = ANY (types);

-- +goose Down
DROP INDEX muster.identity_events_operation_released;
DROP INDEX muster.identity_events_operation_parked;
ALTER TABLE muster.source_aggregations DROP COLUMN complete;
ALTER TABLE muster.provisioning_operations
    DROP CONSTRAINT provisioning_operations_awaits,
    DROP COLUMN outcome,
    DROP COLUMN awaits;
