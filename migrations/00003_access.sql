-- What identities have, and what they own.

-- +goose Up
CREATE TABLE muster.role_assignments (
    id                uuid             NOT NULL,
    identity_id       uuid             NOT NULL,
    role_id           uuid             NOT NULL,
    assignment_source text COLLATE "C" NOT NULL,
    assigner_id       uuid,
    comments          text COLLATE "C",
    document          jsonb            NOT NULL DEFAULT '{}',
    added_date        timestamptz      NOT NULL,
    start_date        timestamptz,
    remove_date       timestamptz,
    CONSTRAINT role_assignments_pkey PRIMARY KEY (id),
    CONSTRAINT role_assignments_unique UNIQUE (identity_id, role_id, assignment_source),
    CONSTRAINT role_assignments_identity_fkey FOREIGN KEY (identity_id) REFERENCES muster.identities (id) ON DELETE CASCADE,
    CONSTRAINT role_assignments_role_fkey FOREIGN KEY (role_id) REFERENCES muster.roles (id) ON DELETE CASCADE,
    CONSTRAINT role_assignments_dates CHECK (remove_date > start_date)
);

CREATE INDEX role_assignments_role ON muster.role_assignments (role_id, identity_id);

-- Objects of a host's own kinds that somebody owns. While they are there, their owner cannot be deleted.
CREATE TABLE muster.owned_objects (
    kind      text COLLATE "C" NOT NULL,
    object_id text COLLATE "C" NOT NULL,
    name      text COLLATE "C" NOT NULL,
    owner_id  uuid             NOT NULL,
    created   timestamptz      NOT NULL,
    modified  timestamptz      NOT NULL,
    CONSTRAINT owned_objects_pkey PRIMARY KEY (kind, object_id),
    CONSTRAINT owned_objects_owner_fkey FOREIGN KEY (owner_id) REFERENCES muster.identities (id)
);

CREATE INDEX owned_objects_owner ON muster.owned_objects (owner_id, kind, object_id);

-- +goose Down
DROP TABLE muster.owned_objects;
DROP TABLE muster.role_assignments;
