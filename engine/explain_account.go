package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/store"
)

// The limits of an explanation of a correlation.
const (
	// CandidatesMax is how many identities an explanation names for one value, and how many candidates in all.
	CandidatesMax = 10
	// candidateKeysMax is how many keys of identities are looked up to find candidates.
	candidateKeysMax = 500
	// candidateValueMax is the longest value by which a candidate is looked for, in bytes.
	candidateValueMax = 256
)

// CorrelationExplanation tells how an account finds its identity, value by value, and what came of it.
type CorrelationExplanation struct {
	Account Account `json:"account"`
	// Reason says in a sentence why the account is whose it is, or nobody's.
	Reason string `json:"reason"`
	// Values are the values by which the account looks for its identity now, in the order in which they count. An
	// assignment of the source for which the account has no value is in it, without a value.
	Values []CorrelationValue `json:"values"`
	// Candidates are identities that have a value of the account in an attribute by which identities are found,
	// whatever the source's assignments say: those with the most such values first. An account that is not uncorrelated
	// has none.
	Candidates []CorrelationCandidate `json:"candidates"`
}

// CorrelationValue is a value by which an account looks for its identity.
type CorrelationValue struct {
	AccountAttribute  string `json:"accountAttribute"`  // "" for the account that an identity was made from
	IdentityAttribute string `json:"identityAttribute"` // "" for the same
	Value             string `json:"value"`             // "" where the account has none
	IgnoreCase        bool   `json:"ignoreCase"`
	// Identities are those that the value finds, at most [CandidatesMax].
	Identities []Reference `json:"identities"`
	More       bool        `json:"more"` // it finds others too
	// Decides says that the value is the first one that finds anybody: it alone counts. The account becomes the
	// identity's where it finds one, and stays uncorrelated where it finds several.
	Decides bool `json:"decides"`
}

// CorrelationCandidate is an identity that an account may belong to.
type CorrelationCandidate struct {
	Identity Reference        `json:"identity"`
	Alias    string           `json:"alias"`
	Because  []CandidateMatch `json:"because"`
}

// CandidateMatch is a value that an account and an identity have in common, ignoring case.
type CandidateMatch struct {
	AccountAttribute  string `json:"accountAttribute"` // nativeIdentity and name are those of the account itself
	IdentityAttribute string `json:"identityAttribute"`
	Value             string `json:"value"`
}

// ExplainCorrelation tells by which values an account looks for its identity, whom each of them finds, and why the
// account is whose it is. It only reads, and looks values up by the index by which correlation itself does. An account
// that does not exist is not found.
func (e *Engine) ExplainCorrelation(ctx context.Context, account string) (CorrelationExplanation, error) {
	const op = "explain the correlation"
	id, known := store.IDOf(account)
	if !known {
		return CorrelationExplanation{}, noAccount(op, account)
	}
	x := &correlating{e: e}
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := store.InTx(ctx, e.tenant.Pool, options, func(tx pgx.Tx) error { return x.run(ctx, tx, id) })
	if errors.Is(err, store.ErrNotFound) {
		return CorrelationExplanation{}, noAccount(op, account)
	}
	return x.result, fault.Wrap(op, account, err)
}

// correlating is one call of [Engine.ExplainCorrelation].
type correlating struct {
	e             *Engine
	configuration *configuration.Configuration
	result        CorrelationExplanation
}

func (x *correlating) run(ctx context.Context, tx pgx.Tx, id store.ID) error {
	row, err := x.e.tenant.Store.ListedAccountByID(ctx, tx, id)
	if err != nil {
		return err
	}
	if x.result.Account, err = accountOf(&row); err != nil {
		return err
	}
	if x.configuration, err = x.e.tenant.SnapshotConfiguration(ctx, tx); err != nil {
		return err
	}
	x.result.Values, x.result.Candidates = []CorrelationValue{}, []CorrelationCandidate{}
	source := x.configuration.Sources[row.SourceID]
	if source == nil {
		return fmt.Errorf("the source %s of the account is not configured", row.SourceID)
	}
	if err := x.findByValues(ctx, tx, source); err != nil {
		return err
	}
	x.result.Reason = x.reason(source)
	if !x.result.Account.Uncorrelated {
		return nil
	}
	return x.findCandidates(ctx, tx)
}

// findByValues finds whom the values of the account find.
func (x *correlating) findByValues(ctx context.Context, tx pgx.Tx, source *configuration.CompiledSource) error {
	a := &x.result.Account
	var keys []string // of each value; "" where there is none
	valued := map[*configuration.AttributeAssignment]bool{}
	source.EachKey(a.NativeIdentity, &a.Attributes, func(by *configuration.AttributeAssignment, value, key string) {
		v := CorrelationValue{Value: value}
		if by != nil {
			v.AccountAttribute, v.IdentityAttribute, v.IgnoreCase = by.Value, by.Property, by.IgnoresCase()
			valued[by] = true
		}
		x.result.Values, keys = append(x.result.Values, v), append(keys, key)
	})
	matches, err := x.matches(ctx, tx, keys)
	if err != nil {
		return err
	}
	decided := false
	for i := range x.result.Values {
		v := &x.result.Values[i]
		v.Identities = []Reference{}
		for _, m := range matches[keys[i]] {
			if v.More = len(v.Identities) == CandidatesMax; v.More {
				break
			}
			v.Identities = append(v.Identities, referenceTo(&m))
		}
		if len(v.Identities) > 0 && !decided {
			v.Decides, decided = true, true
		}
	}
	assignments := source.Assignments()
	for i := range assignments {
		if by := &assignments[i]; !valued[by] {
			x.result.Values = append(x.result.Values, CorrelationValue{AccountAttribute: by.Value,
				IdentityAttribute: by.Property, IgnoreCase: by.IgnoresCase(), Identities: []Reference{}})
		}
	}
	return nil
}

// matches returns the identities that keys find, by key: one more than are shown.
func (x *correlating) matches(ctx context.Context, tx pgx.Tx, keys []string) (map[string][]store.FoundIdentity, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	keys = slices.Clone(keys)
	slices.Sort(keys)
	list, err := x.e.tenant.Store.IdentitiesByKeys(ctx, tx, slices.Compact(keys), CandidatesMax+1)
	byKey := map[string][]store.FoundIdentity{}
	for _, m := range list {
		byKey[m.Key] = append(byKey[m.Key], m)
	}
	return byKey, err
}

func referenceTo(m *store.FoundIdentity) Reference {
	return Reference{Type: "IDENTITY", ID: m.ID.String(), Name: m.Name}
}

// reason says why the account is whose it is, or nobody's.
func (x *correlating) reason(source *configuration.CompiledSource) string {
	a := &x.result.Account
	at := slices.IndexFunc(x.result.Values, func(v CorrelationValue) bool { return v.Decides })
	var decides *CorrelationValue
	if at >= 0 {
		decides = &x.result.Values[at]
	}
	switch {
	case a.ManuallyCorrelated:
		return "it was given to the identity by hand or created for it: correlation does not move it until it is " +
			"released"
	case !a.Uncorrelated && decides == nil:
		return "it has been the identity's since it found it: its values find nobody now"
	case !a.Uncorrelated && len(decides.Identities) == 1 && decides.Identities[0].ID == *a.IdentityID:
		return decides.how() + " finds this identity alone"
	case !a.Uncorrelated:
		return "it has been the identity's since it found it: " + decides.how() + " finds others now"
	case decides != nil && len(decides.Identities) == 1:
		return decides.how() + " finds one identity: the next aggregation or processing gives it the account"
	case decides != nil:
		return decides.how() + " finds several identities, and must find one: the values after it do not count"
	case len(source.Assignments()) == 0:
		return "the source has no accountCorrelationConfig that says how an account finds its identity"
	case !slices.ContainsFunc(x.result.Values, func(v CorrelationValue) bool {
		return v.Value != "" && v.AccountAttribute != ""
	}):
		return "the account has no value in " + strings.Join(accountAttributes(source), ", ") +
			", by which the source's accounts find identities"
	default:
		return "no identity has one of its values"
	}
}

// how names the value in a sentence. It quotes no value: the list has it.
func (v *CorrelationValue) how() string {
	if v.AccountAttribute == "" {
		return "the trace of its own origin"
	}
	return "its " + v.AccountAttribute + " as " + v.IdentityAttribute
}

func accountAttributes(source *configuration.CompiledSource) []string {
	var names []string
	for _, a := range source.Assignments() {
		if !slices.Contains(names, a.Value) {
			names = append(names, a.Value)
		}
	}
	return names
}

// findCandidates finds identities that have values of the account. A value that more identities have than are shown
// tells nobody apart, and does not count.
func (x *correlating) findCandidates(ctx context.Context, tx pgx.Tx) error {
	a := &x.result.Account
	because := map[string]CandidateMatch{}
	var keys []string
	seen := map[string]bool{}
	folded := x.configuration.FoldedAttributes()
	look := func(name, value string) {
		value = strings.TrimSpace(value)
		if value == "" || len(value) > candidateValueMax || seen[value] || len(keys)+len(folded) > candidateKeysMax {
			return
		}
		seen[value] = true
		for _, attribute := range folded {
			key := store.KeyIgnoringCase(attribute, value)
			if _, again := because[key]; !again {
				keys, because[key] = append(keys, key), CandidateMatch{name, attribute, value}
			}
		}
	}
	for name, value := range a.Attributes.All() {
		for _, text := range value.Strings() {
			look(name, text)
		}
	}
	look("nativeIdentity", a.NativeIdentity)
	look("name", a.Name)
	matches, err := x.matches(ctx, tx, keys)
	if err != nil {
		return err
	}
	found := map[store.ID]*CorrelationCandidate{}
	for _, key := range keys {
		if len(matches[key]) > CandidatesMax {
			continue
		}
		for _, m := range matches[key] {
			c := found[m.ID]
			if c == nil {
				c = &CorrelationCandidate{Identity: referenceTo(&m), Alias: m.Alias}
				found[m.ID] = c
			}
			c.Because = append(c.Because, because[key])
		}
	}
	for _, c := range found {
		x.result.Candidates = append(x.result.Candidates, *c)
	}
	slices.SortFunc(x.result.Candidates, func(a, b CorrelationCandidate) int {
		if n := len(b.Because) - len(a.Because); n != 0 {
			return n
		}
		return strings.Compare(a.Identity.ID, b.Identity.ID)
	})
	x.result.Candidates = x.result.Candidates[:min(len(x.result.Candidates), CandidatesMax)]
	return nil
}
