-- The index over the words of identities, for the search.

-- +goose Up

-- Lexemes are word~tag of the field, and ~tag~word where the words of a field are found by their beginnings: see the
-- file lexeme.go of package searchql. The engine writes them with the values. They are null of an identity that was
-- made and not processed yet, and of those that were here before: the search looks at their values, and doctor repairs
-- the latter.
ALTER TABLE muster.identities ADD COLUMN words tsvector;
-- New entries wait in a list that a change moves into the index when it is full. It is the smallest: each search reads
-- it, and at the usual 4 MB one change in some thousands touches 130,000 blocks.
CREATE INDEX identities_words ON muster.identities USING gin (words) WITH (gin_pending_list_limit = 64);
CREATE INDEX identities_unworded ON muster.identities (id) WHERE words IS NULL;
CREATE INDEX identities_created ON muster.identities (created, id);

-- +goose Down
DROP INDEX muster.identities_created;
ALTER TABLE muster.identities DROP COLUMN words;
