-- What was given is remembered by the person, and for as long as the account is away (docs/adr/0020-grants.md).

-- +goose Up

-- An entitlement may have been given to several accounts of a person, one after the other: one row for each.
DELETE FROM muster.access_grants WHERE account_id IS NULL;
ALTER TABLE muster.access_grants
    ALTER COLUMN account_id SET NOT NULL,
    DROP CONSTRAINT access_grants_pkey,
    ADD CONSTRAINT access_grants_pkey PRIMARY KEY (identity_id, source_id, attribute, value, account_id);

-- Accounts that were given something, or carry something, and that their source does not have any more. An account that
-- comes back gets its ID again. identity_id is whose it was. It is no foreign key: the row outlives the identity.
CREATE TABLE muster.vanished_accounts (
    id              uuid             NOT NULL,
    source_id       uuid             NOT NULL,
    native_identity text COLLATE "C" NOT NULL,
    stable_identity text COLLATE "C",
    identity_id     uuid,
    vanished        timestamptz      NOT NULL,
    CONSTRAINT vanished_accounts_pkey PRIMARY KEY (id)
);
CREATE INDEX vanished_accounts_native_identity ON muster.vanished_accounts (source_id, native_identity);
CREATE INDEX vanished_accounts_stable_identity ON muster.vanished_accounts (source_id, stable_identity)
    WHERE stable_identity IS NOT NULL;
CREATE INDEX vanished_accounts_vanished ON muster.vanished_accounts (vanished);

-- What an account carries that its former owner was given, whoever that was: the next owner wants it, or loses it. The
-- account may have vanished. identity_id is the former owner, null where that person was erased.
CREATE TABLE muster.carried_access (
    account_id  uuid             NOT NULL,
    source_id   uuid             NOT NULL,
    attribute   text COLLATE "C" NOT NULL,
    value       text COLLATE "C" NOT NULL,
    identity_id uuid,
    since       timestamptz      NOT NULL,
    CONSTRAINT carried_access_pkey PRIMARY KEY (account_id, attribute, value)
);

-- +goose Down
DROP TABLE muster.carried_access;
DROP TABLE muster.vanished_accounts;
DELETE FROM muster.access_grants g
USING muster.access_grants o
WHERE o.identity_id = g.identity_id AND o.source_id = g.source_id AND o.attribute = g.attribute AND o.value = g.value
  AND (o.granted > g.granted OR o.granted = g.granted AND o.account_id > g.account_id);
ALTER TABLE muster.access_grants
    DROP CONSTRAINT access_grants_pkey,
    ADD CONSTRAINT access_grants_pkey PRIMARY KEY (identity_id, source_id, attribute, value),
    ALTER COLUMN account_id DROP NOT NULL;
