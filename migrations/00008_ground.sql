-- What history, settings, jobs, accounts and operations stand on: order that does not depend on a server's transaction
-- numbers, actors, settings of the tenant, and keys that are known before a statement.

-- +goose Up

-- === History

-- === Configuration, settings and engines

-- === Tasks, requests and messages

-- === Accounts and aggregation

-- === Operations and deliveries

-- +goose Down

-- === Operations and deliveries

-- === Accounts and aggregation

-- === Tasks, requests and messages

-- === Configuration, settings and engines

-- === History
