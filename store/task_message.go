package store

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// TaskMessagesMax is how many different messages of one type a task stores, at most.
	TaskMessagesMax = 100
	// TaskExamplesMax is how many of the identities that a message is about are stored, at most.
	TaskExamplesMax = 5
)

// TaskMessage is a message of a task about one identity, or about none.
type TaskMessage struct {
	Type       string // INFO, WARN or ERROR
	Key        string // what kind of message it is
	IdentityID ID     // the identity that it is about; zero for none
	Text       string
}

// TaskMessageGroup is all messages of a task that have the same type, key and text.
type TaskMessageGroup struct {
	Type, Key, Text string
	// Count is how many there are. A message about one of the examples counts once.
	Count    int64
	Examples []ID     // the first identities that they are about, at most [TaskExamplesMax]
	Names    []string // those of the examples now; "" for an identity that does not exist
}

// messageGroup is the messages of a batch that are equal.
type messageGroup struct {
	*TaskMessage // one of them
	digest       ID
	identities   []ID // each once, and the zero ID for each message about none
}

// groupMessages returns the groups of messages, the largest of them first, and then in the order in which they came.
func groupMessages(messages []TaskMessage) []messageGroup {
	type member struct{ digest, identity ID }
	var groups []messageGroup
	places, members := map[ID]int{}, map[member]bool{}
	for i := range messages {
		m := &messages[i]
		digest := m.digest()
		place, found := places[digest]
		if !found {
			place = len(groups)
			places[digest] = place
			groups = append(groups, messageGroup{TaskMessage: m, digest: digest})
		}
		is := member{digest, m.IdentityID}
		if m.IdentityID.IsZero() || !members[is] {
			members[is] = true
			groups[place].identities = append(groups[place].identities, m.IdentityID)
		}
	}
	slices.SortStableFunc(groups, func(a, b messageGroup) int {
		return cmp.Compare(len(b.identities), len(a.identities))
	})
	return groups
}

// digest is the same for messages that are equal but for the identity.
func (m *TaskMessage) digest() ID {
	return digestOf(strings.Join([]string{m.Type, m.Key, m.Text}, "\x00"))
}

// addTaskMessages adds groups of messages to a task. Parameters $8 and $9 say where in $10 the identities of a group
// stand.
const addTaskMessages = `
	WITH given AS (
	    SELECT g.id, g.digest, g.type, g.key, g.text, g.first, g.last, m.id IS NOT NULL AS known,
	           coalesce(m.count, 0) AS count, coalesce(m.examples, '{}') AS examples,
	           row_number() OVER (PARTITION BY g.type, m.id IS NULL ORDER BY g.place) AS nth
	    FROM unnest($3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::int[], $9::int[])
	         WITH ORDINALITY g (id, digest, type, key, text, first, last, place)
	    LEFT JOIN muster.task_messages m ON m.task_id = $1 AND m.digest = g.digest
	), stored AS (
	    SELECT type, count(*) AS count FROM muster.task_messages WHERE task_id = $1 GROUP BY type
	)
	INSERT INTO muster.task_messages (id, task_id, digest, type, key, text, at, count, examples)
	SELECT g.id, $1, g.digest, g.type, g.key, g.text, $2, g.count + n.count, (g.examples || n.examples)[:$11]
	FROM given g
	LEFT JOIN stored s ON s.type = g.type
	CROSS JOIN LATERAL (
	    SELECT count(*) AS count,
	           coalesce(array_agg(i.id ORDER BY i.place) FILTER (WHERE i.id IS NOT NULL), '{}') AS examples
	    FROM unnest(($10::uuid[])[g.first:g.last]) WITH ORDINALITY i (id, place)
	    WHERE i.id IS NULL OR i.id <> ALL (g.examples)
	) n
	WHERE g.known OR g.nth <= $12 - coalesce(s.count, 0)
	ON CONFLICT (task_id, digest) DO UPDATE SET count = excluded.count, examples = excluded.examples`

// AddTaskMessages adds messages to a task, whose row the transaction must have locked or written. Messages that are
// equal but for their identity become one row with a count. An identity that is among the examples of the row counts
// once. Of a type that has [TaskMessagesMax] rows no further row is stored.
func (s *Store) AddTaskMessages(ctx context.Context, tx pgx.Tx, task ID, messages []TaskMessage, now time.Time) error {
	if len(messages) == 0 {
		return nil
	}
	groups := groupMessages(messages)
	ids, digests := make([]ID, len(groups)), make([]ID, len(groups))
	types, keys, texts := make([]string, len(groups)), make([]string, len(groups)), make([]string, len(groups))
	firsts, lasts := make([]int, len(groups)), make([]int, len(groups))
	identities := make([]ID, 0, len(messages))
	for i, g := range groups {
		ids[i], digests[i], types[i], keys[i], texts[i] = NewID(), g.digest, g.Type, g.Key, g.Text
		firsts[i] = len(identities) + 1
		identities = append(identities, g.identities...)
		lasts[i] = len(identities)
	}
	_, err := tx.Exec(ctx, s.sql(addTaskMessages), task, now, ids, digests, types, keys, texts, firsts, lasts,
		identities, TaskExamplesMax, TaskMessagesMax)
	return mapError(err)
}

// TaskMessages returns the stored messages of tasks: errors, then warnings, then infos, and of each type the most
// frequent first.
func (s *Store) TaskMessages(ctx context.Context, q Querier, tasks []ID) ([]TaskMessageGroup, error) {
	const statement = `
		SELECT m.type, m.key, m.text, m.count, m.examples,
		       ARRAY (SELECT coalesce(i.name, '')
		              FROM unnest(m.examples) WITH ORDINALITY e (id, place)
		              LEFT JOIN muster.identities i ON i.id = e.id
		              ORDER BY e.place)
		FROM muster.task_messages m
		WHERE m.task_id = ANY ($1)
		ORDER BY CASE m.type WHEN 'ERROR' THEN 1 WHEN 'WARN' THEN 2 ELSE 3 END, m.count DESC, m.id`
	return collect(ctx, q, s.sql(statement), pgx.RowToStructByPos[TaskMessageGroup], tasks)
}
