package console

import (
	"net/http"
	"net/url"
	"strings"
)

// route is a page or an action.
type route struct {
	method  string
	pattern string // below the mount, without its first slash; a {name} stands for one word
	right   right
	public  bool // also for who is not signed in
	file    bool // a file, and no page
	upload  bool // the action reads its own form, which may have a file
	own     bool // an action on the visitor's own session and settings, which is there also in a ReadOnly console
	serve   func(*visit) error
}

// routes returns all pages and actions. The tests go through them.
func routes() []route {
	const get, post = http.MethodGet, http.MethodPost
	return []route{
		{method: get, pattern: "", right: read, serve: (*visit).home},
		{method: get, pattern: "me", right: readOwn, serve: (*visit).me},
		{method: get, pattern: "find", right: read, serve: (*visit).findPage},

		{method: get, pattern: "identities/", right: read, serve: (*visit).identityList},
		{method: get, pattern: "identities/export.csv", right: read, file: true, serve: (*visit).identityExport},
		{method: post, pattern: "identities/process", right: process, serve: (*visit).processSelected},
		{method: post, pattern: "identities/invite", right: invite, serve: (*visit).inviteSelected},
		{method: get, pattern: "identities/process-matching", right: process, serve: (*visit).processMatchingPage},
		{method: post, pattern: "identities/process-matching", right: process, serve: (*visit).processMatching},
		{method: get, pattern: "identities/synchronize-matching", right: synchronize,
			serve: (*visit).synchronizeMatchingPage},
		{method: post, pattern: "identities/synchronize-matching", right: synchronize,
			serve: (*visit).synchronizeMatching},
		{method: get, pattern: "identities/invite-matching", right: invite, serve: (*visit).inviteMatchingPage},
		{method: post, pattern: "identities/invite-matching", right: invite, serve: (*visit).inviteMatching},
		{method: get, pattern: "identities/{id}/", right: read, serve: (*visit).overview},
		{method: get, pattern: "identities/{id}/attributes", right: read, serve: (*visit).attributes},
		{method: get, pattern: "identities/{id}/accounts", right: readAccounts, serve: (*visit).identityAccounts},
		{method: get, pattern: "identities/{id}/access", right: read, serve: (*visit).access},
		{method: get, pattern: "identities/{id}/operations", right: read, serve: (*visit).identityOperations},
		{method: get, pattern: "identities/{id}/history", right: read, serve: (*visit).identityHistory},
		{method: get, pattern: "identities/{id}/ownership", right: read, serve: (*visit).ownership},
		{method: get, pattern: "identities/{id}/preview", right: read, serve: (*visit).preview},
		{method: post, pattern: "identities/{id}/synchronize", right: synchronize, serve: (*visit).synchronize},
		{method: post, pattern: "identities/{id}/process", right: process, serve: (*visit).process},
		{method: post, pattern: "identities/{id}/invite", right: invite, serve: (*visit).invite},
		{method: get, pattern: "identities/{id}/verify", right: verify, serve: (*visit).verifyPage},
		{method: post, pattern: "identities/{id}/verify", right: verify, serve: (*visit).verify},
		{method: get, pattern: "identities/{id}/reset", right: reset, serve: (*visit).resetPage},
		{method: post, pattern: "identities/{id}/reset", right: reset, serve: (*visit).reset},
		{method: get, pattern: "identities/{id}/lifecycle", right: setState, serve: (*visit).lifecyclePage},
		{method: post, pattern: "identities/{id}/lifecycle", right: setState, serve: (*visit).setLifecycle},
		{method: get, pattern: "identities/{id}/levels", right: setUserLevels, serve: (*visit).levelsPage},
		{method: post, pattern: "identities/{id}/levels", right: setUserLevels, serve: (*visit).setLevels},
		{method: get, pattern: "identities/{id}/delete", right: remove, serve: (*visit).deletePage},
		{method: post, pattern: "identities/{id}/delete", right: remove, serve: (*visit).delete},
		{method: post, pattern: "identities/{id}/protect", right: protect, serve: (*visit).protect},
		{method: post, pattern: "identities/{id}/unprotect", right: protect, serve: (*visit).unprotect},

		{method: get, pattern: "accounts/", right: readAccounts, serve: (*visit).accountList},
		{method: get, pattern: "accounts/export.csv", right: readAccounts, file: true, serve: (*visit).accountExport},
		{method: get, pattern: "accounts/{id}/", right: readAccounts, serve: (*visit).account},
		{method: post, pattern: "accounts/{id}/correlate", right: correlate, serve: (*visit).correlate},
		{method: post, pattern: "accounts/{id}/release", right: correlate, serve: (*visit).releaseAccount},

		{method: get, pattern: "movements/", right: read, serve: (*visit).movements},
		{method: get, pattern: "movements/export.csv", right: read, file: true, serve: (*visit).movementExport},

		{method: get, pattern: "identity-profiles/", right: readIdentityProfiles, serve: (*visit).identityProfiles},
		{method: get, pattern: "identity-profiles/{id}/", right: readIdentityProfiles, serve: (*visit).mappings},
		{method: get, pattern: "identity-profiles/{id}/lifecycle-states", right: readIdentityProfiles,
			serve: (*visit).lifecycleStates},
		{method: get, pattern: "identity-profiles/{id}/invitation", right: readIdentityProfiles,
			serve: (*visit).invitationPage},
		{method: post, pattern: "identity-profiles/{id}/invitation", right: editIdentityProfiles,
			serve: (*visit).invitation},

		{method: get, pattern: "roles/", right: readRoles, serve: (*visit).roleList},
		{method: get, pattern: "roles/export.csv", right: readRoles, file: true, serve: (*visit).roleExport},
		{method: get, pattern: "roles/{id}/export.csv", right: readRoles, file: true, serve: (*visit).memberExport},
		{method: get, pattern: "roles/{id}/members", right: readRoles, serve: (*visit).roleMembers},
		{method: post, pattern: "roles/{id}/assign", right: assign, serve: (*visit).assignRole},
		{method: post, pattern: "roles/{id}/revoke", right: assign, serve: (*visit).revokeRole},
		{method: get, pattern: "access-profiles/", right: readProfiles, serve: (*visit).accessProfiles},
		{method: get, pattern: "entitlements/", right: read, serve: (*visit).entitlementList},
		{method: get, pattern: "entitlements/export.csv", right: read, file: true, serve: (*visit).entitlementExport},
		{method: get, pattern: "entitlements/{id}/export.csv", right: readAccounts, file: true,
			serve: (*visit).holderExport},
		{method: get, pattern: "entitlements/{id}/holders", right: readAccounts, serve: (*visit).holders},

		{method: get, pattern: "sources/", right: read, serve: (*visit).sources},

		{method: get, pattern: "sources/{id}/", right: read, serve: (*visit).source},
		{method: post, pattern: "sources/{id}/test", right: editSources, serve: (*visit).testSource},
		{method: get, pattern: "sources/{id}/aggregate", right: aggregateSources, serve: (*visit).aggregatePage},
		{method: post, pattern: "sources/{id}/aggregate", right: aggregateSources, upload: true,
			serve: (*visit).aggregate},
		{method: post, pattern: "sources/{id}/synchronize", right: synchronizeSources,
			serve: (*visit).synchronizeSource},

		{method: get, pattern: "statistics/export.csv", right: read, file: true, serve: (*visit).statisticsExport},
		{method: get, pattern: "runs/", right: seeRuns, serve: (*visit).runs},
		{method: get, pattern: "runs/export.csv", right: seeRuns, file: true, serve: (*visit).runExport},
		{method: get, pattern: "runs/{id}/", right: seeRuns, serve: (*visit).run},
		{method: get, pattern: "runs/{id}/events", right: seeRuns, file: true, serve: (*visit).runEvents},
		{method: get, pattern: "runs/{id}/confirm", right: endRuns, serve: (*visit).confirmPage},
		{method: post, pattern: "runs/{id}/confirm", right: endRuns, serve: (*visit).confirm},
		{method: get, pattern: "runs/{id}/cancel", right: endRuns, serve: (*visit).cancelPage},
		{method: post, pattern: "runs/{id}/cancel", right: endRuns, serve: (*visit).cancel},
		{method: get, pattern: "operations/", right: read, serve: (*visit).operations},
		{method: post, pattern: "operations/{id}/release", right: retry, serve: (*visit).release},
		{method: get, pattern: "operations/errors", right: read, serve: (*visit).operationErrors},
		{method: get, pattern: "operations/retry", right: retry, serve: (*visit).retryPage},
		{method: post, pattern: "operations/retry", right: retry, serve: (*visit).retryFailed},
		{method: post, pattern: "operations/{id}/retry", right: retry, serve: (*visit).retryOperation},
		{method: get, pattern: "history/", right: read, serve: (*visit).history},

		{method: get, pattern: "configuration/", right: readConfiguration, serve: (*visit).objects},
		{method: get, pattern: "configuration/object", right: readConfiguration, serve: (*visit).object},
		{method: get, pattern: "configuration/revisions/", right: readConfiguration, serve: (*visit).revisions},
		{method: get, pattern: "configuration/revisions/{id}/", right: readConfiguration, serve: (*visit).revision},
		{method: post, pattern: "configuration/revisions/{id}/revert", right: configure, serve: (*visit).revert},
		{method: get, pattern: "configuration/propose", right: configure, serve: (*visit).proposePage},
		{method: post, pattern: "configuration/propose", right: configure, serve: (*visit).propose},
		{method: post, pattern: "configuration/apply", right: configure, serve: (*visit).applyProposal},
		{method: get, pattern: "health/", right: seeHealth, serve: (*visit).health},

		{method: get, pattern: "settings", right: read, public: true, serve: (*visit).settingsPage},
		{method: post, pattern: "settings", public: true, own: true, serve: (*visit).settings},
		{method: get, pattern: "help", public: true, serve: (*visit).help},
		{method: get, pattern: "login", public: true, serve: (*visit).loginPage},
		{method: post, pattern: "login", public: true, own: true, serve: (*visit).login},
		{method: get, pattern: "login/provider", public: true, serve: (*visit).beginSignIn},
		{method: get, pattern: ProviderReturn, public: true, serve: (*visit).finishSignIn},
		{method: get, pattern: "logout/provider", public: true, serve: (*visit).endSignIn},
		{method: post, pattern: "logout", public: true, own: true, serve: (*visit).logout},
	}
}

// find finds the route of the request. Where the path has a slash at its end too much or too little, it redirects to
// the right one, and done is true.
func (v *visit) find() (done bool, err error) {
	method := v.r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	var allowed []string
	for i := range v.h.routes {
		candidate := &v.h.routes[i]
		values, matches := match(candidate.pattern, v.path[1:])
		if !matches {
			continue
		}
		if candidate.method == method {
			v.route, v.values = candidate, values
			return false, nil
		}
		allowed = append(allowed, candidate.method)
	}
	if len(allowed) > 0 {
		v.w.Header().Set("Allow", strings.Join(allowed, ", "))
		return false, &pageError{status: http.StatusMethodNotAllowed, key: "This address does not do that."}
	}
	if method == http.MethodGet {
		if other := otherSlash(v.path); other != "" && v.h.hasPage(other) {
			// The last word of a path without a slash at its end is relative to the same folder.
			word := url.URL{Path: other[strings.LastIndexByte(strings.TrimSuffix(other, "/"), '/')+1:]}
			reference := "./" + word.EscapedPath()
			if strings.HasSuffix(v.path, "/") {
				reference = "." + reference
			}
			if v.r.URL.RawQuery != "" {
				reference += "?" + v.r.URL.RawQuery
			}
			return true, v.redirectTo(reference, http.StatusFound)
		}
	}
	return false, &pageError{status: http.StatusNotFound, key: "There is no such page."}
}

// otherSlash returns the path with a slash at its end, or without the one that it has.
func otherSlash(path string) string {
	if without, has := strings.CutSuffix(path, "/"); has {
		return without
	}
	return path + "/"
}

func (h *Handler) hasPage(path string) bool {
	for i := range h.routes {
		if _, matches := match(h.routes[i].pattern, strings.TrimPrefix(path, "/")); matches &&
			h.routes[i].method == http.MethodGet {
			return true
		}
	}
	return false
}

// match reports whether a path has a pattern, and what the pattern's names stand for. A fixed word goes before a name:
// identities/process is never the identity called process.
func match(pattern, path string) (values map[string]string, matches bool) {
	words, given := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(words) != len(given) {
		return nil, false
	}
	for i, word := range words {
		name, isName := strings.CutPrefix(word, "{")
		switch {
		case isName && given[i] != "":
			if values == nil {
				values = map[string]string{}
			}
			values[strings.TrimSuffix(name, "}")] = given[i]
		case word != given[i]:
			return nil, false
		}
	}
	return values, true
}
