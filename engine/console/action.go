package console

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/muster-engine/muster/engine"
	access "github.com/muster-engine/muster/engine/right"
)

// lifecycleView is the page that sets the lifecycle state of an identity by hand.
type lifecycleView struct {
	*subject

	Profile string // "" for an identity that no profile calculates
	States  []shownState
	Manual  bool
	State   string // the technical name of the present state
	Problem string
}

func (v *visit) lifecyclePage() error { return v.showLifecycle("") }

func (v *visit) showLifecycle(problem string) error {
	ctx, cancel := v.reading()
	defer cancel()
	s, err := v.subject(ctx)
	if err != nil {
		return err
	}
	view := &lifecycleView{subject: s, Problem: problem}
	if l := s.Identity.LifecycleState; l != nil {
		view.State, view.Manual = l.StateName, l.ManuallyUpdated
	}
	why, err := v.h.eng.Explain(ctx, engine.ExplainParams{Identity: s.Identity.ID})
	if err != nil {
		return err
	}
	if why.Profile != nil {
		view.Profile = why.Profile.Name
		if view.States, err = v.statesOf(ctx, why.Profile.ID); err != nil {
			return err
		}
	}
	return v.render("lifecycle", view)
}

// builtInStates are the lifecycle states that every profile has, whether it lists them or not.
var builtInStates = []string{"active", "inactive"}

// statesOf returns the enabled lifecycle states of a profile, those that every profile has too.
func (v *visit) statesOf(ctx context.Context, profile string) ([]shownState, error) {
	all, err := v.shownStates(ctx, profile)
	if err != nil {
		return nil, err
	}
	states := slices.DeleteFunc(slices.Clone(all), func(s shownState) bool { return s.Disabled })
	for _, name := range builtInStates {
		if !slices.ContainsFunc(all, func(s shownState) bool { return s.TechnicalName == name }) {
			states = append(states, shownState{LifecycleState: engine.LifecycleState{Name: name, TechnicalName: name}})
		}
	}
	return states, nil
}

// setLifecycle sets the lifecycle state by hand, or leaves it to the calculation again.
func (v *visit) setLifecycle() error {
	state, given := v.r.PostForm["state"]
	if !given || len(state) != 1 {
		v.status = http.StatusBadRequest
		return v.showLifecycle(v.T("Choose a state."))
	}
	if err := v.demandSeenIdentity(); err != nil {
		return err
	}
	if _, err := v.h.eng.SetLifecycleState(v.ctx(), v.values["id"], state[0]); err != nil {
		return err
	}
	n := note{Key: "The lifecycle state was set by hand. It holds until its mapping gives another value, or it is " +
		"left to the calculation."}
	if state[0] == "" {
		n.Key = "The lifecycle state is calculated again."
	}
	return v.tell(n, "identities/"+v.values["id"]+"/")
}

// levelsView is the page of the user levels of an identity.
type levelsView struct {
	*subject

	Levels []levelChoice
}

type levelChoice struct {
	Name  string
	Given bool
}

func (v *visit) levelsPage() error {
	ctx, cancel := v.reading()
	defer cancel()
	s, err := v.subject(ctx)
	if err != nil {
		return err
	}
	given, err := v.h.eng.UserLevels(ctx, s.Identity.ID)
	if err != nil {
		return err
	}
	view := &levelsView{subject: s}
	for _, level := range access.Administrators() {
		view.Levels = append(view.Levels, levelChoice{string(level), slices.Contains(given, string(level))})
	}
	for _, level := range given { // a host may know others
		if !slices.ContainsFunc(view.Levels, func(c levelChoice) bool { return c.Name == level }) {
			view.Levels = append(view.Levels, levelChoice{level, true})
		}
	}
	return v.render("levels", view)
}

func (v *visit) setLevels() error {
	levels := slices.Clone(v.r.PostForm["level"])
	if levels == nil {
		levels = []string{}
	}
	given, err := v.h.eng.UserLevels(v.ctx(), v.values["id"])
	if err == nil {
		err = v.demandSeen(seenOfLevels(given))
	}
	if err != nil {
		return err
	}
	if err := v.h.eng.SetUserLevels(v.ctx(), v.values["id"], levels); err != nil {
		return err
	}
	return v.tell(note{Key: "The user levels were set."}, "identities/"+v.values["id"]+"/")
}

// deleteView is the page that says what the deletion of an identity takes, and asks for it.
type deleteView struct {
	*subject

	Owned    []engine.Association
	Accounts []engine.Account
	More     bool // there are more accounts
	Roles    int
	Alias    string // as it was typed
	NewOwner string
	Problem  string
	OfOwner  bool // the problem is about the new owner
}

// deletedAccountsShown is how many accounts the page names.
const deletedAccountsShown = 20

func (v *visit) deletePage() error { return v.showDelete(&deleteView{}) }

func (v *visit) showDelete(view *deleteView) error {
	ctx, cancel := v.reading()
	defer cancel()
	var err error
	if view.subject, err = v.subject(ctx); err != nil {
		return err
	}
	id := view.Identity.ID
	if view.Owned, err = v.h.eng.Ownership(ctx, id); err != nil {
		return err
	}
	limit := deletedAccountsShown
	page, err := v.h.eng.ListAccounts(ctx, engine.AccountParams{Identity: id,
		PageParams: engine.PageParams{Limit: &limit}})
	if err != nil {
		return err
	}
	view.Accounts, view.More = page.Items, page.Next != ""
	roles, err := v.h.eng.RoleAssignments(ctx, id, engine.RoleAssignmentQuery{})
	if err != nil {
		return err
	}
	view.Roles = len(roles)
	return v.render("delete", view)
}

// delete deletes an identity, whose account is typed, and gives what it owns to the one that is named.
func (v *visit) delete() error {
	typed := &deleteView{Alias: strings.TrimSpace(v.r.PostFormValue("alias")),
		NewOwner: strings.TrimSpace(v.r.PostFormValue("owner"))}
	identity, err := v.h.eng.GetIdentity(v.ctx(), v.values["id"])
	if err != nil {
		return err
	}
	if err := v.demandSeen((&subject{Identity: identity}).Seen()); err != nil {
		return err
	}
	refuse := func(ofOwner bool, problem string) error {
		typed.Problem, typed.OfOwner, v.status = problem, ofOwner, http.StatusBadRequest
		return v.showDelete(typed)
	}
	if typed.Alias != identity.Alias {
		return refuse(false, v.T("Type the account of the identity, as it is written above."))
	}
	if typed.NewOwner == "" {
		err = v.h.eng.DeleteIdentity(v.ctx(), identity.ID)
	} else {
		owner, found := v.personOf(typed.NewOwner)
		if found != nil {
			return found
		}
		if owner == "" || owner == identity.ID {
			return refuse(true, v.T("No other identity, or not one alone, has this ID or account."))
		}
		err = v.h.eng.DeleteIdentityReassigning(v.ctx(), identity.ID, owner)
	}
	var owned *engine.AssociationsError
	if errors.As(err, &owned) {
		if len(owned.Associations) > 0 {
			return refuse(true, v.T("The identity owns something: name who gets it."))
		}
		return v.tell(note{Key: "The identity is protected: nothing was changed.", Warning: true},
			"identities/"+identity.ID+"/")
	}
	if err != nil {
		return err
	}
	return v.tell(note{Key: "The identity was deleted. Its history stays, and its accounts are nobody's."},
		"identities/")
}

// shownStates returns the lifecycle states of a profile, with what each does.
func (v *visit) shownStates(ctx context.Context, profile string) ([]shownState, error) {
	objects, err := v.h.eng.ConfigurationObjects(ctx, engine.TypeLifecycleState, engine.TypeAccessProfile,
		engine.TypeSource)
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	for i := range objects {
		names[objects[i].ID] = objects[i].Name
	}
	var states []shownState
	for i := range objects {
		if objects[i].Type != engine.TypeLifecycleState {
			continue
		}
		var s shownState
		if err := json.Unmarshal(objects[i].Object, &s.LifecycleState); err != nil {
			return nil, err
		}
		if plainID(s.IdentityProfile.ID) == profile {
			s.TechnicalName = cmp.Or(s.TechnicalName, objects[i].Name)
			states = append(states, v.shownState(s, names))
		}
	}
	return states, nil
}
