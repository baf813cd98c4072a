package console

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/attribute"
)

// uncorrelatedFilter is the filter of the accounts that nobody has. An index serves it.
const uncorrelatedFilter = `uncorrelated eq true`

// accountFilters are the quick filters of the accounts.
var accountFilters = []quickFilter{
	{text("All"), ""},
	{text("Uncorrelated"), uncorrelatedFilter},
	{text("Disabled"), `disabled eq true`},
	{text("Manually correlated"), `manuallyCorrelated eq true`},
	{text("With entitlements"), `hasEntitlements eq true`},
	{text("Of people who have left"), `identity.identityState eq "INACTIVE_LONG_TERM" and disabled eq false`},
}

var accountColumns = []column{
	{Field: "nativeIdentity", Title: text("Account")},
	{Field: "name", Title: text("Name")},
	{Field: "source.name", Title: text("Source")},
	{Field: "identity.name", Title: text("Identity")},
	{Title: text("State")},
	{Field: "modified", Title: text("Modified")},
}

type accountListView struct {
	listing

	Accounts []engine.Account
}

// Chips gives the part "account-chips" its account, and the visit that says its words.
func (v *visit) Chips(account engine.Account) any {
	return struct {
		V       *visit
		Account engine.Account
	}{v, account}
}

func (v *visit) accountList() error {
	ctx, cancel := v.reading()
	defer cancel()
	view := &accountListView{listing: v.listing(accountFilters, "id")}
	view.Example = `nativeIdentity sw "svc" and attributes.title co "Chief"`
	view.NothingText = v.T("There is no account yet: aggregate a source.")
	view.columnsOf(accountColumns)
	if err := view.narrowable(ctx); err != nil {
		return err
	}
	page, err := v.h.eng.ListAccounts(ctx, engine.AccountParams{PageParams: view.page(), Source: view.Source,
		Uncorrelated: view.Filters == uncorrelatedFilter})
	if view.mistaken(err) {
		return v.render("accounts", view)
	}
	if err != nil {
		return err
	}
	view.Accounts = page.Items
	view.paged(len(page.Items), page.Next)
	return v.render("accounts", view)
}

// heldEntitlement is an entitlement of an account, and how the account came to have it.
type heldEntitlement struct {
	engine.HeldEntitlement

	State, Tone string
}

// heldOf says how an account came to have an entitlement, or that it is still to get it.
func (v *visit) heldOf(h *engine.HeldEntitlement) heldEntitlement {
	switch {
	case len(h.Accounts) == 0:
		return heldEntitlement{*h, v.T("wanted, not there"), "wait"}
	case h.Granted != nil:
		return heldEntitlement{*h, v.T("granted"), "ok"}
	case len(h.Reasons) > 0:
		return heldEntitlement{*h, v.T("was there, and is granted"), "calm"}
	default:
		return heldEntitlement{*h, v.T("was there"), "calm"}
	}
}

// identityAccountsView is the accounts of an identity.
type identityAccountsView struct {
	*subject

	Accounts []identityAccount
	Wanted   []heldEntitlement // that no account has
	More     string            // the list of the rest; "" for none
}

type identityAccount struct {
	engine.Account

	Values       []pinned
	Entitlements []heldEntitlement
}

// identityAccountsMax is how many accounts the page of an identity shows.
const identityAccountsMax = 50

func (v *visit) identityAccounts() error {
	ctx, cancel := v.reading()
	defer cancel()
	s, err := v.subject(ctx)
	if err != nil {
		return err
	}
	view := &identityAccountsView{subject: s}
	limit := identityAccountsMax
	page, err := v.h.eng.ListAccounts(ctx, engine.AccountParams{Identity: s.Identity.ID,
		PageParams: engine.PageParams{AnyField: true, Sorters: "source.name,nativeIdentity", Limit: &limit}})
	if err != nil {
		return err
	}
	access, err := v.h.eng.Access(ctx, s.Identity.ID)
	if err != nil {
		return err
	}
	for i := range page.Items {
		a := &page.Items[i]
		row := identityAccount{Account: *a, Values: valuesOf(&a.Attributes)}
		for k := range access.Entitlements {
			h := &access.Entitlements[k]
			if slices.ContainsFunc(h.Accounts, func(info engine.AccountInfo) bool { return info.UUID == a.ID }) {
				row.Entitlements = append(row.Entitlements, v.heldOf(h))
			}
		}
		view.Accounts = append(view.Accounts, row)
	}
	for k := range access.Entitlements {
		if h := &access.Entitlements[k]; len(h.Accounts) == 0 {
			view.Wanted = append(view.Wanted, v.heldOf(h))
		}
	}
	if page.Next != "" {
		view.More = v.accountsOf("identity.id eq " + quoted(s.Identity.ID))
	}
	return v.render("identity-accounts", view)
}

// valuesOf returns the values of attributes as a page shows them.
func valuesOf(set *attribute.Set) []pinned {
	var values []pinned
	for name, value := range set.All() {
		values = append(values, pinned{name, strings.Join(value.Strings(), ", ")})
	}
	return values
}

// accountView is the page of an account.
type accountView struct {
	*visit

	Why          engine.CorrelationExplanation
	Account      engine.Account
	Values       []pinned
	Entitlements []engine.Entitlement
	More         bool // it has more entitlements
	Person       string
	Problem      string
}

// accountEntitlementsMax is how many entitlements the page of an account shows.
const accountEntitlementsMax = 100

func (v *visit) accountView(ctx context.Context) (*accountView, error) {
	why, err := v.h.eng.ExplainCorrelation(ctx, v.values["id"])
	if err != nil {
		return nil, err
	}
	view := &accountView{visit: v, Why: why, Account: why.Account, Values: valuesOf(&why.Account.Attributes)}
	limit := accountEntitlementsMax
	page, err := v.h.eng.ListEntitlements(ctx, engine.EntitlementParams{Account: why.Account.ID,
		PageParams: engine.PageParams{Limit: &limit}})
	if err != nil {
		return nil, err
	}
	view.Entitlements, view.More = page.Items, page.Next != ""
	v.rows = 1
	return view, nil
}

func (v *visit) account() error {
	ctx, cancel := v.reading()
	defer cancel()
	view, err := v.accountView(ctx)
	if err != nil {
		return err
	}
	return v.render("account", view)
}

// backToAccount returns where an action on an account leads.
func (v *visit) backToAccount() string {
	return ownReference(v.r.PostFormValue("back"), "accounts/"+v.values["id"]+"/")
}

// correlate gives an account to the identity that the form names by an ID or an alias.
func (v *visit) correlate() error {
	person := strings.TrimSpace(v.r.PostFormValue("identity"))
	identity, err := v.personOf(person)
	if err != nil {
		return err
	}
	if identity == "" {
		ctx, cancel := v.reading()
		defer cancel()
		view, err := v.accountView(ctx)
		if err != nil {
			return err
		}
		view.Person, view.Problem = person, v.T("No identity, or not one alone, has this ID or account.")
		v.status = http.StatusBadRequest
		return v.render("account", view)
	}
	if err := v.h.eng.CorrelateAccount(v.ctx(), v.values["id"], identity); err != nil {
		return err
	}
	return v.tell(note{Key: "The account was given to the identity. Release takes that back."}, v.backToAccount())
}

// releaseAccount leaves an account to correlation again.
func (v *visit) releaseAccount() error {
	err := v.h.eng.ReleaseAccount(v.ctx(), v.values["id"])
	if engine.KindOf(err) == engine.Conflict {
		return v.tell(note{Key: "The account is nobody's already.", Warning: true}, v.backToAccount())
	}
	if err != nil {
		return err
	}
	return v.tell(note{Key: "The account was released: correlation says whose it is."}, v.backToAccount())
}

// Held gives the part "held" its entitlements.
func (v *visit) Held(list []heldEntitlement) any {
	return struct {
		*visit
		List []heldEntitlement
	}{v, list}
}
