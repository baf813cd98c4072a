-- What accounts hold, as rows, and who they are at their source whatever they are called.

-- +goose Up

-- The identity of an account that survives its renaming at the source; null where the source has none. It is not
-- unique: a source may be wrong, and an account that was renamed is there twice until the old one is removed.
ALTER TABLE muster.accounts ADD COLUMN stable_identity text COLLATE "C";
CREATE INDEX accounts_stable_identity ON muster.accounts (source_id, stable_identity)
    WHERE stable_identity IS NOT NULL;
ALTER TABLE muster.aggregation_stage ADD COLUMN stable_identity text COLLATE "C";

-- The entitlements that accounts hold: the values of the attributes that the schema of the source marks. entitlement_id
-- is no foreign key, since entitlements are never removed (docs/adr/0017-account-entitlements.md).
CREATE TABLE muster.account_entitlements (
    account_id     uuid NOT NULL,
    entitlement_id uuid NOT NULL
);

CREATE UNLOGGED TABLE muster.held_values AS
SELECT DISTINCT a.source_id, t.value ->> 'name' AS attribute, v.value, a.id AS account_id
FROM muster.sources s
CROSS JOIN LATERAL (
    SELECT c.value -> 'attributes' AS attributes
    FROM jsonb_array_elements(CASE jsonb_typeof(s.document -> 'schemas')
                              WHEN 'array' THEN s.document -> 'schemas' ELSE '[]' END) WITH ORDINALITY c (value, nth)
    WHERE c.value ->> 'name' = 'account'
       OR coalesce(c.value ->> 'name', '') = '' AND jsonb_array_length(s.document -> 'schemas') = 1
    ORDER BY c.nth
    LIMIT 1) c
CROSS JOIN LATERAL jsonb_array_elements(CASE jsonb_typeof(c.attributes)
                                        WHEN 'array' THEN c.attributes ELSE '[]' END) t (value)
JOIN muster.accounts a ON a.source_id = s.id
CROSS JOIN LATERAL jsonb_array_elements_text(
    CASE jsonb_typeof(a.attributes -> (t.value ->> 'name'))
    WHEN 'array' THEN a.attributes -> (t.value ->> 'name')
    ELSE jsonb_build_array(a.attributes -> (t.value ->> 'name')) END) v (value)
WHERE t.value -> 'isEntitlement' = 'true' AND v.value IS NOT NULL AND octet_length(v.value) <= 2000;

-- Values that operations gave, or that were there before their attribute was marked, became no entitlements until now.
INSERT INTO muster.entitlements (id, source_id, attribute, value, name, created, modified)
SELECT (lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint), 12, '0') || '7' || left(m.digest, 3) || '8' ||
        substr(m.digest, 4, 15))::uuid, m.source_id, m.attribute, m.value, m.value, now(), now()
FROM (SELECT DISTINCT source_id, attribute, value, md5(concat_ws(' ', source_id, attribute, value)) AS digest
      FROM muster.held_values) m
ON CONFLICT (source_id, attribute, value) DO NOTHING;

INSERT INTO muster.account_entitlements (account_id, entitlement_id)
SELECT h.account_id, e.id
FROM muster.held_values h
JOIN muster.entitlements e ON e.source_id = h.source_id AND e.attribute = h.attribute AND e.value = h.value
ORDER BY h.account_id, e.id;

DROP TABLE muster.held_values;

ALTER TABLE muster.account_entitlements
    ADD CONSTRAINT account_entitlements_pkey PRIMARY KEY (account_id, entitlement_id),
    ADD CONSTRAINT account_entitlements_account_fkey FOREIGN KEY (account_id) REFERENCES muster.accounts (id)
        ON DELETE CASCADE;
CREATE INDEX account_entitlements_entitlement ON muster.account_entitlements (entitlement_id, account_id);

-- +goose Down
DROP TABLE muster.account_entitlements;
ALTER TABLE muster.aggregation_stage DROP COLUMN stable_identity;
DROP INDEX muster.accounts_stable_identity;
ALTER TABLE muster.accounts DROP COLUMN stable_identity;
