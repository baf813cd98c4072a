package httpapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
	"github.com/muster-engine/muster/engine/httpapi"
)

// What a request writes is done by its user, or by the client where it acts for no user; an odd name hides nobody. The
// log tells by IDs who did what to whom, and never the name of the user or a text that is no ID.
func TestActors(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	const identity = "01890000000070008000000000000001"
	for name, c := range map[string]struct {
		caller httpapi.Principal
		want   engine.Actor
		logged string
	}{
		"a user": {httpapi.Principal{ClientID: "crm", IdentityID: identity, UserName: "ann.boss"},
			engine.Actor{ID: identity, Name: "ann.boss", Via: "api"}, "actor=" + identity},
		"a client": {httpapi.Principal{ClientID: "crm"}, engine.Actor{ID: "crm", Name: "crm", Via: "api"}, "actor=crm"},
		"a NUL in the name": {httpapi.Principal{ClientID: "crm", IdentityID: identity, UserName: "ann\x00boss\n"},
			engine.Actor{ID: identity, Name: "ann\uFFFDboss\uFFFD", Via: "api"}, "actor=" + identity},
		"a client that writes lines": {httpapi.Principal{ClientID: "c\nlevel=ERROR\x1b[2J\x00\xff"},
			engine.Actor{ID: "c\uFFFDlevel=ERROR\uFFFD[2J\uFFFD\uFFFD", Name: "c\uFFFDlevel=ERROR\uFFFD[2J\uFFFD\uFFFD", Via: "api"},
			"actor=\"c\uFFFDlevel=ERROR\uFFFD[2J\uFFFD\uFFFD\""},
		"a user without an ID": {httpapi.Principal{UserName: "ann.boss"}, engine.Actor{Name: "ann.boss", Via: "api"}, "actor="},
		"a very long name": {httpapi.Principal{ClientID: "crm", IdentityID: identity, UserName: strings.Repeat("ä", 500)},
			engine.Actor{ID: identity, Name: strings.Repeat("ä", engine.ActorNameMax/2), Via: "api"}, "actor=" + identity},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			caller := c.caller
			caller.Authorities, caller.Scopes = []string{"ORG_ADMIN"}, []string{"sp:scopes:all"}
			s := newServer(t, httpapi.Config{Authenticator: httpapi.AuthenticatorFunc(
				func(*http.Request) (*httpapi.Principal, error) { return &caller, nil })})
			s.ApplyText(enginetest.Documents)
			s.AggregateText("HR", people, engine.AggregateOptions{})
			s.Process()
			ann := s.ID("ann")
			var launched engine.TaskStatus
			var accepted struct{ ID string }
			s.post("/beta/identities/process", `{"identityIds": ["`+ann+`"]}`).demand(http.StatusAccepted, &accepted)
			tasks, err := s.Tasks(t.Context(), engine.TaskQuery{Limit: 1})
			if err != nil || len(tasks) == 0 || tasks[0].Actor != c.want {
				t.Fatalf("got %+v, %v, want the actor %+v", tasks, err, c.want)
			}
			s.get("/beta/task-status/"+tasks[0].ID).demand(http.StatusOK, &launched)
			if launched.Launcher != c.want.Name {
				t.Errorf("the launcher is %q, want %q", launched.Launcher, c.want.Name)
			}
			s.post("/beta/identities/"+strings.ToUpper(ann)+"/reset", "")
			s.do(request{method: http.MethodDelete, path: "/beta/identities/Zelda%20Quistgaard", faulty: true})
			log := s.logs.String()
			for _, line := range []string{
				"operation=startIdentityProcessing", "operation=getTaskStatus", "target=" + tasks[0].ID,
				"operation=resetIdentity", "target=" + ann, "operation=deleteIdentity", c.logged,
			} {
				if !strings.Contains(log, line) {
					t.Errorf("the log does not hold %q:\n%s", line, log)
				}
			}
			for _, text := range []string{"ann.boss", "ann\x00", "Zelda", "ää", "\x1b", "\nlevel=ERROR"} {
				if strings.Contains(log, text) {
					t.Errorf("the log holds %q:\n%s", text, log)
				}
			}
		})
	}
}

// Who was refused stands in the log too.
func TestActorRefused(t *testing.T) {
	t.Parallel()
	s := newServer(t, httpapi.Config{Authenticator: httpapi.AuthenticatorFunc(
		func(*http.Request) (*httpapi.Principal, error) {
			return &httpapi.Principal{ClientID: "crm", IdentityID: "4711", Scopes: []string{"none"}}, nil
		})})
	s.do(request{method: http.MethodDelete, path: "/beta/identities/01890000000070008000000000000001"})
	log := s.logs.String()
	for _, text := range []string{"actor=4711", "client=crm", "target=01890000000070008000000000000001", "status=403"} {
		if !strings.Contains(log, text) {
			t.Errorf("the log does not hold %q:\n%s", text, log)
		}
	}
}
