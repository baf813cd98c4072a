-- What accounts refer to is kept without foreign keys. Those look at, and lock, one row for each new account, which took
-- an aggregation more time than everything else. The identities that an aggregation finds cannot be deleted until it
-- ends, by the deletion lock, and every other writer of accounts locks the identity; no engine deletes sources. What is
-- left of the keys is their other side: what becomes of accounts when an identity or a source is deleted.

-- +goose Up
ALTER TABLE muster.accounts DROP CONSTRAINT accounts_source_fkey;
ALTER TABLE muster.accounts DROP CONSTRAINT accounts_identity_fkey;

-- +goose StatementBegin
CREATE FUNCTION muster.release_accounts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE muster.accounts SET identity_id = NULL WHERE identity_id = OLD.id;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER identities_release_accounts AFTER DELETE ON muster.identities
    FOR EACH ROW EXECUTE FUNCTION muster.release_accounts();

-- +goose StatementBegin
CREATE FUNCTION muster.demand_no_accounts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM muster.accounts WHERE source_id = OLD.id) THEN
        RAISE foreign_key_violation USING MESSAGE = 'the source still has accounts', SCHEMA = TG_TABLE_SCHEMA,
            TABLE = 'accounts', CONSTRAINT = 'accounts_source';
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER sources_demand_no_accounts AFTER DELETE ON muster.sources
    FOR EACH ROW EXECUTE FUNCTION muster.demand_no_accounts();

-- +goose Down
DROP TRIGGER sources_demand_no_accounts ON muster.sources;
DROP TRIGGER identities_release_accounts ON muster.identities;
DROP FUNCTION muster.demand_no_accounts();
DROP FUNCTION muster.release_accounts();
ALTER TABLE muster.accounts ADD CONSTRAINT accounts_source_fkey FOREIGN KEY (source_id) REFERENCES muster.sources (id);
ALTER TABLE muster.accounts ADD CONSTRAINT accounts_identity_fkey FOREIGN KEY (identity_id)
    REFERENCES muster.identities (id) ON DELETE SET NULL;
