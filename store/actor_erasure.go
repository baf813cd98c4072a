package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
)

// erasedActor is the name of an actor that was erased; [erasedID] is its ID.
const erasedActor = "an erased identity"

// erasedText stands for a text that told of an erased identity.
const erasedText = "(told of an erased identity)"

// actorColumns are the columns of an actor in a table.
type actorColumns struct{ table, id, name string }

// MaskActors removes a person from the operations and the revisions of the configuration in which the person is the
// actor, from the documents of revisions, from texts that people wrote, such as comments, and from the sessions. IDs
// and names of actors that tell of the person, as [Store.Traces] looks for them, are masked, and sessions of the person
// are removed. In documents the ID becomes zeros, and values that are one of names become null. It reads all of these
// tables.
func (s *Store) MaskActors(ctx context.Context, tx pgx.Tx, id ID, names, texts []string) ([]Erased, error) {
	erased, err := s.maskActors(ctx, tx, id, texts,
		actorColumns{"provisioning_operations", "actor_id", "actor_name"},
		actorColumns{"provisioning_operations", "parker_id", "parker_name"},
		actorColumns{"configuration_revisions", "actor_id", "actor_name"})
	if err != nil {
		return nil, err
	}
	revised, err := s.maskDocuments(ctx, tx, id, names, revisedDocuments)
	if err != nil {
		return nil, err
	}
	written, err := s.maskTexts(ctx, tx, id, texts)
	if err != nil {
		return nil, err
	}
	jobs, err := s.removeJobs(ctx, tx, id, texts)
	if err != nil {
		return nil, err
	}
	ended, err := s.endSessions(ctx, tx, id, texts)
	return slices.Concat(erased, revised, written, jobs, ended), err
}

// removeJobs removes the exports and imports of the configuration that tell of a person. They can be made again.
func (s *Store) removeJobs(ctx context.Context, tx pgx.Tx, id ID, texts []string) ([]Erased, error) {
	whole, part := traceForms(id, texts)
	statement := `DELETE FROM muster.configuration_jobs WHERE ` + tellsOfPerson("result") + ` OR ` +
		tellsOfPerson("description") + ` OR ` + tellsOfPerson("message")
	return appendErased(ctx, tx, nil, "configuration_jobs", false, s.dynamic(statement), nonNil(part), nonNil(whole))
}

// endSessions removes the sessions whose user is a person.
func (s *Store) endSessions(ctx context.Context, tx pgx.Tx, id ID, texts []string) ([]Erased, error) {
	whole, part := traceForms(id, texts)
	statement := `DELETE FROM muster.sessions WHERE ` + tellsOfPerson("user_id") + ` OR ` + tellsOfPerson("user_name")
	return appendErased(ctx, tx, nil, "sessions", false, s.dynamic(statement), nonNil(part), nonNil(whole))
}

// revisedDocuments are those of objects before and after a change of the configuration.
var revisedDocuments = []documents{
	{"configuration_revision_objects", "version", "t.number", "before", "t.before IS NOT NULL"},
	{"configuration_revision_objects", "version", "t.number", "after", "t.after IS NOT NULL"},
}

// writtenColumns are texts that people wrote, and which may tell of anybody.
var writtenColumns = []struct{ table, column string }{
	{"configuration_revisions", "comment"},
	{"provisioning_operations", "parked_cause"},
	{"role_assignments", "comments"},
}

// maskTexts replaces the texts that people wrote and that tell of a person.
func (s *Store) maskTexts(ctx context.Context, tx pgx.Tx, id ID, texts []string) ([]Erased, error) {
	whole, part := traceForms(id, texts)
	var erased []Erased
	for _, c := range writtenColumns {
		statement := fmt.Sprintf(`UPDATE muster.%[1]s SET %[2]s = $3 WHERE %[3]s`, c.table, c.column,
			tellsOfPerson(c.column))
		var err error
		if erased, err = appendErased(ctx, tx, erased, c.table, true, s.dynamic(statement), nonNil(part), nonNil(whole),
			erasedText); err != nil {
			return nil, err
		}
	}
	return erased, nil
}

// MaskTaskActors is [Store.MaskActors] for the tasks, which it locks, so a transaction calls it last.
func (s *Store) MaskTaskActors(ctx context.Context, tx pgx.Tx, id ID, texts []string) ([]Erased, error) {
	return s.maskActors(ctx, tx, id, texts, actorColumns{"tasks", "actor_id", "launcher"},
		actorColumns{"tasks", "confirmer_id", "confirmer_name"},
		actorColumns{"tasks", "canceller_id", "canceller_name"})
}

func (s *Store) maskActors(ctx context.Context, tx pgx.Tx, id ID, texts []string, list ...actorColumns) ([]Erased,
	error,
) {
	whole, part := traceForms(id, texts)
	var erased []Erased
	for _, c := range list {
		statement := fmt.Sprintf(`
			UPDATE muster.%[1]s
			SET %[2]s = CASE WHEN %[4]s THEN $3 ELSE %[2]s END, %[3]s = $4
			WHERE %[4]s OR %[5]s`, c.table, c.id, c.name, tellsOfPerson(c.id), tellsOfPerson(c.name))
		var err error
		if erased, err = appendErased(ctx, tx, erased, c.table, true, s.dynamic(statement), nonNil(part), nonNil(whole),
			erasedID, erasedActor); err != nil {
			return nil, err
		}
	}
	return erased, nil
}

// tellsOfPerson returns the condition that a text column has one of the texts $1, or is one of the texts $2.
func tellsOfPerson(column string) string {
	const form = `lower(t COLLATE "und-x-icu")`
	text := `lower(` + column + ` COLLATE "und-x-icu")`
	return `(EXISTS (SELECT 1 FROM unnest($1::text[]) t WHERE strpos(` + text + `, ` + form + `) > 0)
		OR EXISTS (SELECT 1 FROM unnest($2::text[]) t WHERE ` + text + ` = ` + form + `))`
}
