package right

import (
	"slices"
	"strings"
)

// Level is a user level.
type Level string

// The user levels.
const (
	OrgAdmin       Level = "ORG_ADMIN"
	Helpdesk       Level = "HELPDESK"
	CertAdmin      Level = "CERT_ADMIN"
	ReportAdmin    Level = "REPORT_ADMIN"
	RoleAdmin      Level = "ROLE_ADMIN"
	RoleSubadmin   Level = "ROLE_SUBADMIN"
	SourceAdmin    Level = "SOURCE_ADMIN"
	SourceSubadmin Level = "SOURCE_SUBADMIN"
	// User is the level of every user, with or without others.
	User Level = "USER"
	// API is the level of a client that acts for no user.
	API Level = "API"
)

// administrators are the levels of those who are more than users.
var administrators = []Level{OrgAdmin, Helpdesk, CertAdmin, ReportAdmin, RoleAdmin, RoleSubadmin, SourceAdmin,
	SourceSubadmin}

// Administrators returns the levels of those who are more than users.
func Administrators() []Level { return slices.Clone(administrators) }

// ScopeAll is the scope that stands for all scopes of a user level.
const ScopeAll = "sp:scopes:all"

// Range is whom an operation may be about.
type Range int

// The ranges, the narrowest first.
const (
	Nobody Range = iota
	// Reports are the identities whose manager the caller is.
	Reports
	Everybody
)

// Grant opens an operation to some callers.
type Grant struct {
	// Levels are the user levels that it is for. A caller has one of them.
	Levels []Level
	// Scopes are the scopes that open it: the token has one of them. Without any, every token does.
	Scopes []string
	// Named says that the token must name one of the Scopes: [ScopeAll] is not enough.
	Named bool
	// All says that the token must have all of the Scopes, and not only one.
	All bool
	// Range is whom the operation may then be about.
	Range Range
}

// Edition is one of the two editions of rights that the versions of the API have.
type Edition int

// The editions.
const (
	// Before2024 is that of Beta and V3.
	Before2024 Edition = iota
	Since2024
)

// Operation is an operation and who may call it.
type Operation struct {
	ID     string // the published operationId
	Grants []Grant
	// Since2024, if there are any, are the grants in the versions from v2024 on.
	Since2024 []Grant
	// Ours says that the levels are not published.
	Ours bool
}

// In returns the grants of an edition. Do not change them.
func (o *Operation) In(edition Edition) []Grant {
	if edition == Since2024 && o.Since2024 != nil {
		return o.Since2024
	}
	return o.Grants
}

// Caller is what a token says of its bearer.
type Caller struct {
	Levels []string // those of the token; API alone for a client that acts for no user
	Scopes []string
}

// Application reports whether the caller is a client that acts for no user.
func (c *Caller) Application() bool { return len(c.Levels) == 1 && c.Levels[0] == string(API) }

// has reports whether the caller has a level. API beside others is no level: the client acts for a user then.
func (c *Caller) has(level Level) bool {
	switch level {
	case API:
		return c.Application()
	case User:
		return !c.Application()
	default:
		return slices.Contains(c.Levels, string(level))
	}
}

func (c *Caller) hasScope(scope string) bool { return slices.Contains(c.Scopes, scope) }

// Decision is what a caller may do by an operation.
type Decision struct {
	Range Range
	// Reason says why it may not, if Range is [Nobody]. It quotes nothing of the token.
	Reason string
}

// The reasons of a refusal.
const (
	ReasonUnknown     = "the operation has no rights"
	ReasonApplication = "the operation is for users, and the client acts without one"
	ReasonLevel       = "the caller has none of the required user levels"
	ReasonScope       = "the token has none of the required scopes"
	ReasonNoLevel     = "the scope means the rights of the user level, and the caller has none"
)

// opensTo reports whether the scopes of a caller open the grant.
func (g *Grant) opensTo(caller *Caller) bool {
	if g.All {
		return !slices.ContainsFunc(g.Scopes, func(scope string) bool { return !caller.hasScope(scope) })
	}
	return len(g.Scopes) == 0 || slices.ContainsFunc(g.Scopes, caller.hasScope)
}

// Decide decides what a caller may do by an operation. An operation that the table does not have is for nobody.
func Decide(operation string, edition Edition, caller Caller) Decision {
	o := Of(operation)
	if o == nil {
		return Decision{Reason: ReasonUnknown}
	}
	decision := Decision{Reason: ReasonLevel}
	if caller.Application() {
		decision.Reason = ReasonApplication
	}
	for _, grant := range o.In(edition) {
		if !slices.ContainsFunc(grant.Levels, caller.has) {
			continue
		}
		all := caller.hasScope(ScopeAll)
		switch {
		case grant.opensTo(&caller), all && !grant.Named:
			decision.Range = max(decision.Range, grant.Range)
		case all:
			decision.Reason = ReasonNoLevel
		case decision.Reason != ReasonNoLevel:
			decision.Reason = ReasonScope
		}
	}
	if decision.Range != Nobody {
		decision.Reason = ""
	}
	return decision
}

// UserLevels returns the user levels whose bearers may do an operation about everybody with all scopes of their level,
// as one who has signed in to a page has them.
func (o *Operation) UserLevels(edition Edition) []Level {
	var levels []Level
	for _, grant := range o.In(edition) {
		if grant.Range == Everybody && !grant.Named {
			levels = append(levels, grant.Levels...)
		}
	}
	return slices.DeleteFunc(levels, func(level Level) bool { return level == API })
}

// Of returns an operation of the table, or an action of the console, or nil. Do not change it.
func Of(id string) *Operation {
	for _, list := range [][]Operation{table, actions} {
		at, found := slices.BinarySearchFunc(list, id, func(o Operation, id string) int {
			return strings.Compare(o.ID, id)
		})
		if found {
			return &list[at]
		}
	}
	return nil
}

// Actions returns what the console does beside the operations of the table, by ID. Do not change the grants.
func Actions() []Operation { return slices.Clone(actions) }

// Operations returns the table, by the IDs of the operations. Do not change the grants.
func Operations() []Operation { return slices.Clone(table) }
