package engine_test

import "fmt"

// What the tests read straight from the database, and what they change in it. Where a test counts rows in its own way it
// uses CountRows.

// number returns the number that a query finds.
func (f *fixture) number(query string) int {
	f.t.Helper()
	var n int
	if err := f.Pool.QueryRow(f.t.Context(), query).Scan(&n); err != nil {
		f.t.Fatal(fmt.Errorf("%s: %w", query, err))
	}
	return n
}

// text returns the text that a query finds.
func (f *fixture) text(query string, arguments ...any) string {
	f.t.Helper()
	var text string
	if err := f.Pool.QueryRow(f.t.Context(), query, arguments...).Scan(&text); err != nil {
		f.t.Fatal(fmt.Errorf("%s: %w", query, err))
	}
	return text
}

// execute runs a statement.
func (f *fixture) execute(statement string, arguments ...any) {
	f.t.Helper()
	if _, err := f.Pool.Exec(f.t.Context(), statement, arguments...); err != nil {
		f.t.Fatal(fmt.Errorf("%s: %w", statement, err))
	}
}

// executeAll runs statements one after the other.
func (f *fixture) executeAll(statements ...string) {
	f.t.Helper()
	for _, statement := range statements {
		f.execute(statement)
	}
}

// requests returns for how many identities processing is requested.
func (f *fixture) requests() int {
	f.t.Helper()
	return f.CountRows("muster.refresh_requests")
}

// accounts returns how many accounts there are, of all sources.
func (f *fixture) accounts() int {
	f.t.Helper()
	return f.CountRows("muster.accounts")
}

// jobs returns how many jobs of a kind the queue has.
func (f *fixture) jobs(kind string) int {
	f.t.Helper()
	return f.CountRows("muster_jobs.river_job WHERE kind = $1", kind)
}

// aggregationJobs returns how many jobs that aggregate a source are in a state.
func (f *fixture) aggregationJobs(state string) int {
	f.t.Helper()
	return f.CountRows("muster_jobs.river_job WHERE kind = 'muster_aggregate_source' AND state = $1", state)
}

// inError returns how many identities have the error of their last processing.
func (f *fixture) inError() int {
	f.t.Helper()
	return f.CountRows("muster.identities WHERE processing_state = 'ERROR'")
}

// processedWell returns how many identities were processed and have no error.
func (f *fixture) processedWell() int {
	f.t.Helper()
	return f.CountRows(`muster.identities i JOIN muster.refresh_state r ON r.identity_id = i.id
		WHERE i.processing_state IS DISTINCT FROM 'ERROR' AND r.last_refresh IS NOT NULL`)
}

// dueLater returns how many identities are to be processed at a later time.
func (f *fixture) dueLater() int {
	f.t.Helper()
	return f.CountRows("muster.refresh_state WHERE due > now()")
}

// lastDetail returns a part of the latest event of an identity, or of its latest with a type where one is given. The
// part is an SQL expression over the event's detail.
func (f *fixture) lastDetail(alias, eventType, part string) string {
	f.t.Helper()
	return f.text(`
		SELECT `+part+` FROM muster.identity_events e JOIN muster.identities i ON i.id = e.identity_id
		WHERE i.alias = $1 AND ($2 = '' OR $2 = ANY (e.types)) ORDER BY e.write_id DESC LIMIT 1`, alias, eventType)
}

// processingError returns the error of the one identity that has an error.
func (f *fixture) processingError() string {
	f.t.Helper()
	return f.text("SELECT processing_error FROM muster.identities WHERE processing_state = 'ERROR'")
}
