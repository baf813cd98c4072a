-- What somebody asked for of an account: that it be enabled, disabled or unlocked.

-- +goose Up

-- At most one of ENABLE and DISABLE stands for an account. The row stays when the account is as it was asked for, since
-- the demand holds against the lifecycle state that the identity was in; one of UNLOCK is removed then.
CREATE TABLE muster.account_demands (
    account_id      uuid             NOT NULL,
    kind            text COLLATE "C" NOT NULL,
    identity_id     uuid             NOT NULL, -- whose the account was
    lifecycle_state text COLLATE "C" NOT NULL, -- of the identity, by its technical name; '' for none
    forced          boolean          NOT NULL, -- the source is written to also where the account looks right
    asked           timestamptz      NOT NULL,
    met             timestamptz, -- null until it was carried out or the account was found to be as asked
    CONSTRAINT account_demands_pkey PRIMARY KEY (account_id, kind),
    CONSTRAINT account_demands_account_fkey FOREIGN KEY (account_id) REFERENCES muster.accounts (id) ON DELETE CASCADE,
    CONSTRAINT account_demands_identity_fkey FOREIGN KEY (identity_id) REFERENCES muster.identities (id)
        ON DELETE CASCADE,
    CONSTRAINT account_demands_kind CHECK (kind IN ('ENABLE', 'DISABLE', 'UNLOCK'))
);

ALTER TABLE muster.provisioning_operations
    DROP CONSTRAINT provisioning_operations_kind,
    ADD CONSTRAINT provisioning_operations_kind CHECK (kind IN ('CREATE', 'SET_ATTRIBUTES', 'ADD_ENTITLEMENT',
        'REMOVE_ENTITLEMENT', 'ENABLE', 'DISABLE', 'UNLOCK', 'DELETE', 'SET_PASSWORD'));

CREATE INDEX identity_events_account_demanded ON muster.identity_events (write_id, number)
    WHERE 'IDENTITY_ACCOUNT_DEMANDED' = ANY (types);

-- The status that an identity whose sign-in is disabled had before, and gets again.
ALTER TABLE muster.identities ADD COLUMN enabled_status text COLLATE "C";

-- The entitlements that an identity owns.
CREATE INDEX entitlements_owner ON muster.entitlements ((lower(replace(document #>> '{owner,id}', '-', ''))))
    WHERE document #>> '{owner,id}' IS NOT NULL;

-- +goose Down
DROP INDEX muster.entitlements_owner;
UPDATE muster.identities SET cloud_status = enabled_status
WHERE cloud_status = 'DISABLED' AND enabled_status IS NOT NULL;
ALTER TABLE muster.identities DROP COLUMN enabled_status;
DROP INDEX muster.identity_events_account_demanded;
DELETE FROM muster.provisioning_operations WHERE kind = 'UNLOCK';
ALTER TABLE muster.provisioning_operations
    DROP CONSTRAINT provisioning_operations_kind,
    ADD CONSTRAINT provisioning_operations_kind CHECK (kind IN ('CREATE', 'SET_ATTRIBUTES', 'ADD_ENTITLEMENT',
        'REMOVE_ENTITLEMENT', 'ENABLE', 'DISABLE', 'DELETE', 'SET_PASSWORD'));
DROP TABLE muster.account_demands;
