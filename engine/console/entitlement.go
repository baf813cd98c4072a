package console

import (
	"encoding/json"

	"github.com/muster-engine/muster/engine"
)

// entitlementFilters are the quick filters of the entitlements.
var entitlementFilters = []quickFilter{
	{text("All"), ""},
	{text("Privileged"), `privileged eq true`},
	{text("Requestable"), `requestable eq true`},
	{text("Without owner"), `owner.id isnull`},
}

var entitlementColumns = []column{
	{Field: "name", Title: text("Entitlement")},
	{Field: "source.name", Title: text("Source")},
	{Field: "attribute", Title: text("Attribute")},
	{Field: "value", Title: text("Value")},
	{Title: text("State")},
	{Field: "modified", Title: text("Modified")},
}

type entitlementListView struct {
	listing

	Entitlements []engine.Entitlement
}

func (v *visit) entitlementList() error {
	ctx, cancel := v.reading()
	defer cancel()
	view := &entitlementListView{listing: v.listing(entitlementFilters, "id")}
	view.Example = `source.name eq "Directory" and name sw "eng"`
	view.NothingText = v.T("There is no entitlement yet: aggregate a source whose schema marks some.")
	view.columnsOf(entitlementColumns)
	page, err := v.h.eng.ListEntitlements(ctx, engine.EntitlementParams{PageParams: view.page()})
	if view.mistaken(err) {
		return v.render("entitlements", view)
	}
	if err != nil {
		return err
	}
	view.Entitlements = page.Items
	view.paged(len(page.Items), page.Next)
	v.rows = 0 // they are no people
	return v.render("entitlements", view)
}

var holderColumns = []column{
	{Field: "nativeIdentity", Title: text("Account")},
	{Field: "identity.name", Title: text("Identity")},
	{Title: text("State")},
	{Title: text("Since")},
}

var holderFilters = []quickFilter{
	{text("All"), ""},
	{text("Uncorrelated"), uncorrelatedFilter},
	{text("Disabled"), `disabled eq true`},
	{text("Of people who have left"), `identity.identityState eq "INACTIVE_LONG_TERM"`},
}

type holdersView struct {
	listing

	Entitlement engine.Entitlement
	Holders     []engine.EntitlementHolder
}

func (v *visit) holders() error {
	ctx, cancel := v.reading()
	defer cancel()
	view := &holdersView{listing: v.listing(holderFilters, "id")}
	view.Example = `identity.name sw "Mar"`
	view.NothingText = v.T("No account holds the entitlement.")
	view.columnsOf(holderColumns)
	var err error
	if view.Entitlement, err = v.h.eng.GetEntitlement(ctx, v.values["id"]); err != nil {
		return err
	}
	page, err := v.h.eng.ListEntitlementHolders(ctx, view.Entitlement.ID, view.page())
	if view.mistaken(err) {
		return v.render("holders", view)
	}
	if err != nil {
		return err
	}
	view.Holders = page.Items
	view.paged(len(page.Items), page.Next)
	return v.render("holders", view)
}

// accessProfileFilters are the quick filters of the access profiles.
var accessProfileFilters = []quickFilter{
	{text("All"), ""},
	{text("Enabled"), `enabled eq true`},
	{text("Not enabled"), `enabled eq false`},
	{text("Requestable"), `requestable eq true`},
}

var accessProfileColumns = []column{
	{Field: "name", Title: text("Access profile")},
	{Field: "enabled", Title: text("State")},
	{Title: text("Source")},
	{Title: text("What it grants")},
	{Field: "modified", Title: text("Modified")},
}

// shownProfile is an access profile as a page shows it.
type shownProfile struct {
	ID, Name, Description, Source string
	Enabled                       bool
	Grants                        []string
	More                          int // how many grants are left out
	Modified                      *moment
}

// grantsMax is how many entitlements a row of the access profiles names.
const grantsMax = 8

type accessProfilesView struct {
	listing

	Profiles []shownProfile
}

func (v *visit) accessProfiles() error {
	ctx, cancel := v.reading()
	defer cancel()
	view := &accessProfilesView{listing: v.listing(accessProfileFilters, "name")}
	view.Example = `name sw "Sales" and enabled eq true`
	view.NothingText = v.T("There is no access profile yet: apply a configuration with access profiles.")
	view.columnsOf(accessProfileColumns)
	page, err := v.h.eng.ListConfiguration(ctx, engine.TypeAccessProfile, view.page())
	if view.mistaken(err) {
		return v.render("access-profiles", view)
	}
	if err != nil {
		return err
	}
	for i := range page.Items {
		shown, err := profileOf(&page.Items[i])
		if err != nil {
			return err
		}
		shown.Modified = v.MomentOf(page.Items[i].Modified)
		view.Profiles = append(view.Profiles, shown)
	}
	view.paged(len(view.Profiles), page.Next)
	v.rows = 0 // they are no people
	return v.render("access-profiles", view)
}

func profileOf(o *engine.ConfigurationObject) (shownProfile, error) {
	var d struct {
		engine.AccessProfile

		Description *string `json:"description"`
	}
	if err := json.Unmarshal(o.Object, &d); err != nil {
		return shownProfile{}, err
	}
	shown := shownProfile{ID: o.ID, Name: o.Name, Description: textOf(d.Description), Source: d.Source.Name,
		Enabled: d.Enabled == nil || *d.Enabled}
	if shown.Source == "" {
		shown.Source = d.Source.ID
	}
	for i := range d.Entitlements {
		if i == grantsMax {
			shown.More = len(d.Entitlements) - grantsMax
			break
		}
		shown.Grants = append(shown.Grants, entitlementText(&d.Entitlements[i]))
	}
	return shown, nil
}
