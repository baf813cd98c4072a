package engine_test

import "strings"

// The catalogue says of each table and each column of the tenant's schema what covers it. A migration that adds one
// adds a name here; catalogue_cover_test.go fails until it does, and where what is said does not hold.

// covered is what covers a table. Lists are names with spaces between them.
type covered struct {
	table string

	// What an erasure does with a column that tells of the person. A column may be in several of these lists: its rows
	// are the person's, or other people's.
	gone     string // the row is the person's, and is removed
	masked   string // the row stays, and loses the person
	refused  string // nothing is erased while the column has the person's ID
	reported string // it stays, and the report of the erasure names the column
	why      string // why that is left to people
	none     string // it never tells of a person
	// uncommitted says that no row is ever seen by another transaction, so that nothing of the above can be seen.
	uncommitted bool

	// hers is the condition that a row is the person's, whose ID is $1: "identity_id = $1" where it is empty.
	hers string
	// others is the condition of the rows of others that lose the person in {column}: all of them where it is empty.
	others string

	// A purge removes the rows that are older than a time $1, by this condition; age makes some rows as old as $1.
	old, age string
	stays    string // or else why rows stay, or what removes them

	checks string // the checks of the doctor that read the table
	unread string // or else why none does
}

const (
	keptConfiguration = "it is removed with the object, by people"
	keptCurrent       = "it says how things are now"
	namedByPeople     = "people wrote it, and may mean somebody else of the name"
	ofOthers          = "it is another person's own, by a source that is to be cleaned"
	transient         = "it is removed as soon as it is worked off"

	// oldTask is the condition that the task of a row is removed.
	oldTask = `task_id IN (SELECT id FROM muster.tasks WHERE completed < $1)`
)

// firstHalf selects the first half of the rows of a table, by a column.
func firstHalf(table, column string) string {
	return strings.NewReplacer("{table}", table, "{column}", column).Replace(`(SELECT {column} FROM (
		SELECT {column}, row_number() OVER (ORDER BY {column}), count(*) OVER () FROM muster.{table}) half
		WHERE row_number <= count / 2)`)
}

var catalogue = []covered{
	{
		table: "access_grants", gone: "account_id attribute identity_id value", none: "granted source_id",
		stays: keptCurrent, checks: "grant-account grant-vanished orphaned reference:access_grants.identity_id",
	},
	{
		table: "access_profiles", refused: "document", reported: "document name name_key", why: namedByPeople,
		none: "created id modified", stays: keptConfiguration, checks: "configuration unique:access_profiles",
	},
	{
		table: "account_demands", gone: "account_id identity_id lifecycle_state", none: "asked forced kind met",
		stays:  keptCurrent,
		checks: "reference:account_demands.account_id reference:account_demands.identity_id rule:account_demands_kind",
	},
	{
		table: "account_entitlements", gone: "account_id entitlement_id",
		hers:  "account_id IN (SELECT id FROM muster.accounts WHERE identity_id = $1)",
		stays: keptCurrent, checks: "account-entitlements reference:account_entitlements.account_id",
	},
	{
		table: "account_keys", gone: "account_id key", reported: "key", why: ofOthers,
		hers:  "account_id IN (SELECT id FROM muster.accounts WHERE identity_id = $1)",
		stays: keptCurrent, checks: "account-keys reference:account_keys.account_id",
	},
	{
		table:    "accounts",
		gone:     "attributes correlation_keys fingerprint id identity_id name native_identity stable_identity",
		reported: "attributes correlation_keys name native_identity stable_identity", why: ofOthers,
		none:   "created manually_correlated modified provisioned source_id",
		stays:  "an aggregation removes what the source has no more",
		checks: "correlated late-correlation reference:accounts.identity_id reference:accounts.source_id unique:accounts",
	},
	{
		table: "aggregation_seen", uncommitted: true,
		gone: "fingerprints native_identities", none: "lines place places run_id", stays: transient,
		checks: "aggregation-stage",
	},
	{
		table: "aggregation_stage", uncommitted: true,
		gone: "account_id attributes correlation_keys fingerprint identity_id name name_key native_identity " +
			"stable_identity",
		none: "line place run_id", stays: transient, checks: "aggregation-stage",
	},
	{
		table: "carried_access", gone: "account_id attribute value", masked: "identity_id", none: "since source_id",
		hers:  "account_id IN (SELECT id FROM muster.accounts WHERE identity_id = $1)",
		stays: keptCurrent, checks: "carried-access carried-account",
	},
	{
		table: "attempts", gone: "identity_id key", none: "expires failures spent",
		// A purge removes what has expired, whatever it is told.
		old: `expires <= $1`,
		age: `UPDATE muster.attempts SET expires = $1::timestamptz - interval '1 second'
			WHERE key IN ` + firstHalf("attempts", "key"),
		checks: "reference:attempts.identity_id rule:attempts_key",
	},
	{
		table: "credentials", gone: "identity_id hash", none: "changed", stays: keptCurrent,
		checks: "reference:credentials.identity_id",
	},
	{
		table: "configuration", reported: "settings", why: namedByPeople, none: "settled singleton version",
		stays: "it is one row", checks: "configuration singleton sequence",
	},
	{
		table: "configuration_revision_objects", masked: "after before", reported: "name", why: namedByPeople,
		none: "id number type version", stays: "purge has no rule for revisions: they are kept for good",
		unread: "nothing follows from a revision",
	},
	{
		table: "configuration_revisions", masked: "actor_id actor_name comment", none: "actor_via at losses version",
		stays: "purge has no rule for revisions: they are kept for good", unread: "nothing follows from a revision",
	},
	{
		table: "engines", none: "host id process seen settings started version",
		stays:  "an engine removes the rows of those that are gone",
		checks: "engine-rules engine-connectors engine-version engine-settings",
	},
	{
		table: "entitlements", reported: "document name value", why: "it is the source's own object",
		none: "attribute created id modified source_id", stays: keptCurrent,
		checks: "reference:entitlements.source_id unique:entitlements",
	},
	{
		table: "errand_texts", reported: "data", why: "it is the text of an aggregation that waits, of other people too",
		none: "piece task_id", stays: transient, checks: "reference:errand_texts.task_id task-part",
	},
	{
		table: "errands", reported: "asked result", why: "it is a source's words", none: "done task_id", old: oldTask,
		checks: "reference:errands.task_id",
	},
	{
		table: "event_positions", none: "last purged singleton", stays: "it is one row", checks: "event-position singleton",
	},
	{
		table: "event_writes", masked: "actor_id actor_name", hers: "false",
		none: "actor_via at events id position sequence task_id",
		old:  `position IS NOT NULL AND at < $1`,
		age: `UPDATE muster.event_writes SET at = $1::timestamptz - interval '1 second'
			WHERE position <= (SELECT last / 2 FROM muster.event_positions)`,
		checks: "event-number event-pending event-position",
	},
	{
		table: "guard_losses", none: "at attribute cause cause_id identities kind source_id",
		old: `at < $1`,
		age: `INSERT INTO muster.guard_losses SELECT 'TASK', 'before', kind, source_id, attribute, identities,
			$1::timestamptz - interval '1 second' FROM muster.guard_losses`,
		unread: "a sum that is wrong is right again with the next cause",
	},
	{
		table: "identities",
		gone: `alias alias_key attributes email email_key firstname_key id lastname_key lifecycle_basis lifecycle_state
			manager_key name name_key processing_error user_levels words`,
		masked:   "manager_id",
		reported: "alias attributes email manager_key name processing_error", why: ofOthers,
		none: `cloud_status correlated created enabled_status identity_state lifecycle_manual modified processing_state profile_id
			protected`,
		hers: "id = $1", stays: keptCurrent,
		checks: `correlated error-due folded-columns identity-refresh manager reference:identities.manager_id
			reference:identities.profile_id rule:identities_not_own_manager`,
	},
	{
		table: "identity_attributes", reported: "document name", why: namedByPeople, none: "created modified searchable",
		stays: keptConfiguration, checks: "configuration",
	},
	{
		table: "identity_events", gone: "detail identity_id", masked: "detail", none: "number types write_id",
		old: `write_id IN (SELECT id FROM muster.event_writes WHERE position IS NOT NULL AND at < $1)`, checks: "event-number",
	},
	{
		table: "identity_keys", gone: "identity_id key", reported: "key", why: ofOthers, stays: keptCurrent,
		checks: "identity-keys reference:identity_keys.identity_id",
	},
	{
		table: "identity_lookups", gone: "key reader_id found_id", masked: "found_id", hers: "reader_id = $1",
		stays: keptCurrent, checks: "reference:identity_lookups.reader_id",
	},
	{
		table: "identity_profiles", refused: "document", reported: "document name name_key", why: namedByPeople,
		none: "authoritative_source_id created id modified priority", stays: keptConfiguration,
		checks: "configuration reference:identity_profiles.authoritative_source_id unique:identity_profiles",
	},
	{
		table: "lifecycle_states", refused: "document", reported: "document technical_name", why: namedByPeople,
		none: "created id modified profile_id", stays: keptConfiguration,
		checks: "configuration reference:lifecycle_states.profile_id unique:lifecycle_states",
	},
	{
		table: "notifications", gone: "error identity_id", reported: "error",
		why:  "it is of a message to another person, and the mail server's words",
		none: "attempts completed created id lease_owner leased purpose source_id state task_id via",
		old:  oldTask,
		checks: `notification-lease notification-task reference:notifications.identity_id reference:notifications.task_id
			rule:notifications_state`,
	},
	{
		table: "one_time_tokens", gone: "digest identity_id", none: "created expires purpose revoked source_id used",
		// Not before 30 days after they expired, whatever a purge is told.
		old: `expires < $1`,
		age: `UPDATE muster.one_time_tokens SET expires = $1::timestamptz - interval '1 second'
			WHERE digest IN ` + firstHalf("one_time_tokens", "digest"),
		checks: "reference:one_time_tokens.identity_id rule:one_time_tokens_digest",
	},
	{
		table: "owned_objects", refused: "owner_id", reported: "name object_id", why: "it is the host's own object",
		none: "created kind modified", stays: keptCurrent, checks: "reference:owned_objects.owner_id",
	},
	{
		table: "provisioning_batches", none: "created id job_id lease_number lease_owner leased source_id",
		stays: transient, checks: "batch-job batch-lease",
	},
	{
		table:    "provisioning_operations",
		gone:     "account_id attributes error identity_id native_identity reason value",
		masked:   "actor_id actor_name attributes parked_cause parker_id parker_name",
		reported: "error reason value", why: "it is of another person, in a source's words",
		none: `actor_via attempts attribute awaits batch_id begun completed created id kind outcome parked parker_via released
			source_id state task_id`,
		// What is still to be done needs its values.
		others: "state = CASE WHEN '{column}' ~ '^park' THEN 'PARKED' ELSE 'DONE' END",
		old: `completed < $1 AND (state IN ('DONE', 'RETRIED', 'CANCELLED')
			OR state = 'FAILED' AND identity_id NOT IN (SELECT id FROM muster.identities))`,
		age: `UPDATE muster.provisioning_operations SET completed = $1::timestamptz - interval '1 second'
			WHERE completed IS NOT NULL AND id IN ` + firstHalf("provisioning_operations", "id"),
		checks: `operation-awaits operation-batch operation-open operation-parked rule:provisioning_operations_awaits
			rule:provisioning_operations_parked unique:provisioning_operations`,
	},
	{
		table: "refresh_requests", gone: "identity_id", none: "depth number reason request_id requested_at synchronize task_id",
		stays: transient, checks: "request-stale request-task",
	},
	{
		table: "refresh_state", gone: "identity_id", none: "due last_refresh", stays: keptCurrent,
		checks: "identity-refresh reference:refresh_state.identity_id refresh-future",
	},
	{
		table: "refresh_watermark", none: "at singleton", stays: "it is one row", checks: "due singleton",
	},
	{
		table: "role_assignments", gone: "assigner_id comments document identity_id", masked: "assigner_id comments",
		reported: "document", why: "it is the host's own",
		none:  "added_date assignment_source id remove_date role_id start_date",
		stays: keptCurrent,
		checks: `reference:role_assignments.identity_id reference:role_assignments.role_id rule:role_assignments_dates
			unique:role_assignments`,
	},
	{
		table: "roles", refused: "document", reported: "document name name_key", why: namedByPeople,
		none: "created enabled id modified", stays: keptConfiguration, checks: "configuration unique:roles",
	},
	{
		table: "schedule_slots", none: "begun identities slot task_id",
		old: `slot < $1`,
		age: `UPDATE muster.schedule_slots SET slot = $1::timestamptz - interval '1 second'
			WHERE slot IN ` + firstHalf("schedule_slots", "slot"),
		checks: "slot slot-missed",
	},
	{
		table: "configuration_jobs", gone: "description message result",
		none: "completed created expires id kind status",
		hers: "strpos(result, replace($1::uuid::text, '-', '')) > 0",
		// A purge removes what has expired, whatever it is told.
		old: `expires <= $1`,
		age: `UPDATE muster.configuration_jobs SET expires = $1::timestamptz - interval '1 second'
			WHERE id IN ` + firstHalf("configuration_jobs", "id"),
		checks: "rule:configuration_jobs_kind rule:configuration_jobs_status",
	},
	{
		table: "sessions", gone: "digest levels user_id user_name", none: "created expires note seen",
		hers: "user_id = replace($1::uuid::text, '-', '')",
		// A purge removes what has expired, whatever it is told.
		old: `expires <= $1`,
		age: `UPDATE muster.sessions SET expires = $1::timestamptz - interval '1 second'
			WHERE digest IN ` + firstHalf("sessions", "digest"),
		checks: "rule:sessions_digest",
	},
	{
		table: "form_keys", none: "digest expires", // the digest is of a random key
		old: `expires <= $1`,
		age: `UPDATE muster.form_keys SET expires = $1::timestamptz - interval '1 second'
			WHERE digest IN ` + firstHalf("form_keys", "digest"),
		checks: "rule:form_keys_digest",
	},
	{
		table: "source_aggregations", reported: "error result", why: "it is a source's words",
		none: "complete cursor failed last next schedule source_id", stays: keptCurrent,
		checks: "reference:source_aggregations.source_id",
	},
	{
		table: "sources", refused: "document", reported: "document name name_key", why: namedByPeople,
		none: "created id modified", stays: keptConfiguration, checks: "configuration unique:sources",
	},
	{
		table: "daily_statistics", none: "count day kind name object_id state", // numbers tell of nobody
		old:    `day < $1::timestamptz::date`,
		age:    `UPDATE muster.daily_statistics SET day = $1::timestamptz::date - 1 WHERE kind = 'POPULATION'`,
		checks: "rule:daily_statistics_count statistics-day",
	},
	{
		table: "statistics_days", none: "counted day kind",
		old:    `day < $1::timestamptz::date`,
		age:    `UPDATE muster.statistics_days SET day = $1::timestamptz::date - 1 WHERE kind = 'POPULATION'`,
		checks: "rule:statistics_days_kind statistics-day",
	},
	{
		table: "statistics_state", none: "counted due since singleton through", stays: "it is one row",
		checks: "singleton statistics-late statistics-position",
	},
	{
		table: "synchronizations", gone: "identity_id", none: "at", stays: keptCurrent,
		checks: "reference:synchronizations.identity_id",
	},
	{
		table: "task_messages", gone: "digest examples text", masked: "examples", reported: "text",
		why:    "it is of the task or of other people",
		none:   "at count id key task_id type",
		hers:   "$1::uuid = ANY (examples) AND count = 1",
		others: "count > 1", // one that is about her alone is removed
		old:    oldTask,
		checks: `reference:task_messages.task_id rule:task_messages_count rule:task_messages_type
			unique:task_messages`,
	},
	{
		table:  "task_parts",
		none:   "after_id after_number done last_id last_number part profile_id request_id size survey task_id",
		stays:  transient,
		checks: "reference:task_parts.task_id rule:task_parts_request task-part",
	},
	{
		table:    "tasks",
		masked:   "actor_id canceller_id canceller_name confirmer_id confirmer_name launcher target_id",
		reported: "description held_reason target_name",
		why:      "what the engine writes has IDs alone, which it masks; the rest is a host's words",
		none: `actor_via canceller_via cause_id changed completed completion_status confirmed confirmer_via correlated created
			deactivated errors everybody held id identities job_id kind launched lifecycle_changed messages modified
			operations population roles_gained roles_lost target_type warnings`,
		hers:   "false",
		others: "target_id IS DISTINCT FROM $1::uuid", // the name goes with the ID
		old:    `completed < $1`,
		age: `UPDATE muster.tasks SET completed = $1::timestamptz - interval '1 second'
			WHERE completed IS NOT NULL AND (id IN ` + firstHalf("tasks", "id") + `
			      OR id = (SELECT task_id FROM muster.task_messages ORDER BY id LIMIT 1)
			      OR id = (SELECT task_id FROM muster.errands ORDER BY task_id LIMIT 1))`,
		checks: "rule:tasks_completed rule:tasks_completion_status task-held task-job",
	},
	{
		table: "transforms", refused: "document", reported: "document name name_key", why: namedByPeople,
		none: "created id modified", stays: keptConfiguration, checks: "configuration unique:transforms",
	},
	{
		table: "vanished_accounts", gone: "id identity_id native_identity stable_identity",
		reported: "native_identity stable_identity", why: ofOthers, none: "source_id vanished",
		old: `vanished < $1`,
		age: `UPDATE muster.vanished_accounts SET vanished = $1::timestamptz - interval '1 second'
			WHERE id IN ` + firstHalf("vanished_accounts", "id"),
		checks: "carried-account grant-account grant-vanished",
	},
}
