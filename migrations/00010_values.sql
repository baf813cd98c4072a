-- Values that hold until another one changes.

-- +goose Up

-- "=" and the value that the mapping of the lifecycle state gave when the state was set by hand; '' where no state was
-- set by hand, or the value is not known. When the mapping gives another value, the state that was set holds no longer.
ALTER TABLE muster.identities ADD COLUMN lifecycle_basis text NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE muster.identities DROP COLUMN lifecycle_basis;
