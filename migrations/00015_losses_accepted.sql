-- +goose Up
-- What a change of the configuration left out of its documents, because somebody accepted the loss.
ALTER TABLE muster.configuration_revisions ADD COLUMN losses text[] NOT NULL DEFAULT '{}';

-- +goose Down
ALTER TABLE muster.configuration_revisions DROP COLUMN losses;
