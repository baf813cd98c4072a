package httpapi

import (
	"context"
	"fmt"
	"net/http"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/right"
	"github.com/muster-engine/muster/filterql"
	"github.com/muster-engine/muster/store"
)

var accountOperations = []operation{
	{
		id: "listAccounts", method: http.MethodGet, path: "/accounts", versions: every, query: []string{"detailLevel"},
		list:   &listing{schema: store.AccountSchema(false), example: `sourceId eq "0197a3c2f0b87d3e9a41c6d2e5f70812"`},
		handle: (*Handler).listAccounts,
	},
	{
		id: "getAccount", method: http.MethodGet, path: "/accounts/{id}", versions: every,
		handle: (*Handler).getAccount,
	},
	{
		id: "getAccountEntitlements", method: http.MethodGet, path: "/accounts/{id}/entitlements", versions: every,
		query: pageQuery, handle: (*Handler).listAccountEntitlements,
	},
	{
		id: "enableAccount", method: http.MethodPost, path: "/accounts/{id}/enable", versions: every,
		handle: changeAccount((*engine.Engine).EnableAccount),
	},
	{
		id: "disableAccount", method: http.MethodPost, path: "/accounts/{id}/disable", versions: every,
		handle: changeAccount((*engine.Engine).DisableAccount),
	},
	{
		id: "unlockAccount", method: http.MethodPost, path: "/accounts/{id}/unlock", versions: every,
		handle: changeAccount((*engine.Engine).UnlockAccount),
	},
	{
		id: "submitReloadAccount", method: http.MethodPost, path: "/accounts/{id}/reload", versions: every,
		handle: (*Handler).reloadAccount,
	},
	{
		id: "enableAccountForIdentity", method: http.MethodPost, path: "/identities-accounts/{id}/enable",
		versions: notV3, handle: changeSignIn((*engine.Engine).EnableSignIn),
	},
	{
		id: "disableAccountForIdentity", method: http.MethodPost, path: "/identities-accounts/{id}/disable",
		versions: notV3, handle: changeSignIn((*engine.Engine).DisableSignIn),
	},
	{
		id: "enableAccountsForIdentities", method: http.MethodPost, path: "/identities-accounts/enable",
		versions: notV3, handle: changeSignIns((*engine.Engine).EnableSignIn),
	},
	{
		id: "disableAccountsForIdentities", method: http.MethodPost, path: "/identities-accounts/disable",
		versions: notV3, handle: changeSignIns((*engine.Engine).DisableSignIn),
	},
	{
		id: "setLifecycleState", method: http.MethodPost, path: "/identities/{identity-id}/set-lifecycle-state",
		versions: notBeta, handle: (*Handler).setLifecycleState,
	},
}

// accountShape is an account as the API has it. An account without an identity has no member for it.
type accountShape struct {
	*engine.Account
	Created    timestamp `json:"created"`
	Modified   timestamp `json:"modified"`
	IdentityID *string   `json:"identityId,omitempty"`
}

func shapeAccount(a *engine.Account) accountShape {
	return accountShape{a, timestamp(a.Created), timestamp(a.Modified), a.IdentityID}
}

// slimAccount is an account with the members that every account has: what it is by itself.
type slimAccount struct {
	accountShape
	SourceOwner         *engine.Reference `json:"sourceOwner,omitempty"`
	Identity            *engine.Reference `json:"identity,omitempty"`
	CloudLifecycleState *string           `json:"cloudLifecycleState,omitempty"`
	IdentityState       *string           `json:"identityState,omitempty"`
	ConnectionType      *string           `json:"connectionType,omitempty"`
	Features            *string           `json:"features,omitempty"`
}

func shapeSlimAccount(a *engine.Account) slimAccount {
	return slimAccount{accountShape: shapeAccount(a)}
}

func (h *Handler) listAccounts(c *call) error {
	q, params, err := c.pageParams()
	if err != nil {
		return err
	}
	page, err := h.engine.ListAccounts(c.Context(), engine.AccountParams{PageParams: params})
	if q.text("detailLevel") == "SLIM" {
		return answerPage(c, page, err, shapeSlimAccount)
	}
	return answerPage(c, page, err, shapeAccount)
}

func (h *Handler) getAccount(c *call) error {
	account, err := h.engine.GetAccount(c.Context(), c.PathValue("id"))
	if err != nil {
		return err
	}
	c.respond(http.StatusOK, shapeAccount(&account))
	return nil
}

func (h *Handler) listAccountEntitlements(c *call) error {
	_, params, err := c.pageParams()
	if err != nil {
		return err
	}
	id, err := c.idIn("id")
	if err != nil {
		return err
	}
	page, err := h.engine.ListEntitlements(c.Context(), engine.EntitlementParams{PageParams: params, Account: id})
	return answerPage(c, page, err, shapeEntitlement)
}

// changeAccount returns the handler of a write to the state of an account.
func changeAccount(ask func(*engine.Engine, context.Context, string, engine.AccountStateOptions) (engine.AccountTask,
	error),
) func(h *Handler, c *call) error {
	return func(h *Handler, c *call) error {
		members, err := c.bodyOrNone()
		if err != nil {
			return err
		}
		verification, err := members.text("externalVerificationId")
		if err != nil {
			return err
		}
		if verification != "" {
			return illegalValue.with("externalVerificationId: no other process verifies requests here: leave it out")
		}
		var options engine.AccountStateOptions
		if options.Force, err = members.truth("forceProvisioning"); err != nil {
			return err
		}
		if c.operation.id == "unlockAccount" {
			if options.UnlockSignIn, err = members.truth("unlockIDNAccount"); err != nil {
				return err
			}
			if options.Force && !right.MayForce(c.principal.caller()) {
				return forbidden
			}
		}
		return c.accepted(ask(h.engine, c.Context(), c.PathValue("id"), options))
	}
}

func (h *Handler) reloadAccount(c *call) error {
	return c.accepted(h.engine.ReloadAccount(c.Context(), c.PathValue("id")))
}

// changeSignIn returns the handler of a write to the sign-in of one identity.
func changeSignIn(ask func(*engine.Engine, context.Context, string) (engine.AccountTask, error)) func(h *Handler,
	c *call,
) error {
	return func(h *Handler, c *call) error {
		return c.accepted(ask(h.engine, c.Context(), c.PathValue("id")))
	}
}

// signInResult is what became of one identity of many.
type signInResult struct {
	ID         string  `json:"id"`
	StatusCode int     `json:"statusCode"`
	Message    *string `json:"message"`
}

// changeSignIns returns the handler of a write to the sign-ins of many identities. It answers in their order. Each is a
// transaction of its own.
func changeSignIns(ask func(*engine.Engine, context.Context, string) (engine.AccountTask, error)) func(h *Handler,
	c *call,
) error {
	return func(h *Handler, c *call) error {
		members, err := c.body()
		if err != nil {
			return err
		}
		ids, err := members.texts("identityIds")
		if err != nil {
			return err
		}
		switch {
		case len(ids) == 0:
			return dataMissing.with("identityIds: it is missing or empty")
		case len(ids) > filterql.LimitMax:
			return limitViolation.with(fmt.Sprintf("identityIds: %d are given where %d are allowed", len(ids),
				filterql.LimitMax))
		}
		results := make([]signInResult, len(ids))
		for i, id := range ids {
			results[i] = signInResult{ID: id, StatusCode: http.StatusAccepted}
			_, err := ask(h.engine, c.Context(), id)
			switch {
			case err == nil:
			case engine.KindOf(err) == engine.NotFound:
				text := `Referenced identity "` + id + `" was not found.`
				results[i].StatusCode, results[i].Message = http.StatusNotFound, &text
			default:
				return err
			}
		}
		c.respond(http.StatusMultiStatus, results)
		return nil
	}
}

// setState is the answer to the setting of a lifecycle state.
type setState struct {
	AccountActivityID string `json:"accountActivityId"`
}

func (h *Handler) setLifecycleState(c *call) error {
	members, err := c.body()
	if err != nil {
		return err
	}
	state, err := members.text("lifecycleStateId")
	if err != nil {
		return err
	}
	if state == "" {
		return dataMissing.with("lifecycleStateId: it is missing or empty")
	}
	activity, err := h.engine.SetLifecycleState(c.Context(), c.PathValue("identity-id"), state)
	if engine.KindOf(err) == engine.NotFound && subjectOf(err) == state {
		return noReferenced.with(`Referenced lifecycleState "` + state + `" was not found.`)
	}
	if err != nil {
		return err
	}
	c.respond(http.StatusOK, setState{activity})
	return nil
}
