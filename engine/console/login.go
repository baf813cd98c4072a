package console

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/muster-engine/muster/engine"
)

// loginView is what the page of the sign-in shows.
type loginView struct {
	*visit

	Link    string // of the address, to be redeemed by the form; "" for none
	Form    bool   // people sign in by a name
	People  bool   // identities do
	Next    string
	Name    string
	Problem string
}

func (v *visit) loginView(next, name string) *loginView {
	d := v.h.config.Development
	return &loginView{visit: v, Form: v.h.config.Passwords || d != nil && len(d.accounts) > 0,
		People: v.h.config.Passwords, Next: ownReference(next, ""), Name: name}
}

func (v *visit) loginPage() error {
	if v.h.config.Authenticator != nil {
		return &pageError{status: http.StatusNotFound, key: "There is no such page."}
	}
	link := v.r.FormValue("link")
	if v.h.config.Development == nil {
		link = ""
	}
	if v.principal != nil && link == "" {
		return v.redirect(ownReference(v.r.FormValue("next"), ""))
	}
	view := v.loginView(v.r.FormValue("next"), "")
	if view.Link = link; !v.canKeepSession() {
		view.Problem = v.T("Signing in needs HTTPS, or a browser on this machine.")
	}
	return v.render("login", view)
}

// login signs the visitor in, by a link or by the form. The session is a new one.
func (v *visit) login() error {
	d := v.h.config.Development
	if v.h.config.Authenticator != nil {
		return &pageError{status: http.StatusNotFound, key: "There is no such page."}
	}
	view := v.loginView(v.r.PostFormValue("next"), v.r.PostFormValue("name"))
	refuse := func(status int, key string) error {
		v.status, view.Problem = status, v.T(key)
		return v.render("login", view)
	}
	if !v.canKeepSession() {
		return refuse(http.StatusForbidden, "Signing in needs HTTPS, or a browser on this machine.")
	}
	var session engine.Session
	if token := v.r.PostFormValue("link"); token != "" && d != nil {
		principal, good := d.follow(token)
		if !good {
			return refuse(http.StatusForbidden,
				"The link is not good any more: it works once, for ten minutes. Start the server again for a new one.")
		}
		session = sessionOf(&principal)
	} else {
		var status int
		var err error
		session, status, err = v.signIn(view.Name, v.r.PostFormValue("secret"))
		switch {
		case err != nil:
			return err
		case status == http.StatusTooManyRequests:
			return refuse(status, "Too many attempts: wait a while, or set a new password.")
		case status != http.StatusOK:
			return refuse(status, "The name or the password is wrong.")
		}
	}
	if v.token != "" {
		if err := v.h.eng.EndSession(v.r.Context(), v.token); err != nil {
			return err
		}
	}
	token, err := v.h.eng.OpenSession(v.r.Context(), session)
	if err != nil {
		return err
	}
	v.setToken(token)
	return v.redirect(view.Next)
}

func sessionOf(p *Principal) engine.Session {
	return engine.Session{UserID: p.ID, UserName: cmp.Or(p.Name, p.ID), Levels: p.Levels}
}

// signIn returns the session of who has a name and a secret. status says why there is none.
func (v *visit) signIn(name, secret string) (session engine.Session, status int, err error) {
	d := v.h.config.Development
	// An account of the development login goes before an identity of the same name.
	ofDevelopment := d != nil && slices.ContainsFunc(d.accounts, func(a Account) bool { return a.ID == name })
	if ofDevelopment || !v.h.config.Passwords {
		if d == nil || !d.attempts.Allow() {
			return session, http.StatusTooManyRequests, nil
		}
		principal, good := d.check(name, secret)
		if !good {
			return session, http.StatusForbidden, nil
		}
		return sessionOf(&principal), http.StatusOK, nil
	}
	ctx := engine.WithAddress(v.r.Context(), v.h.config.Address(v.r))
	identity, err := v.h.eng.SignIn(ctx, name, secret)
	switch {
	case err == nil:
		// It has no levels: those of the identity count at each request.
		return engine.Session{UserID: identity.ID, UserName: identity.Name}, http.StatusOK, nil
	case engine.KindOf(err) == engine.Forbidden:
		return session, http.StatusForbidden, nil
	case engine.KindOf(err) == engine.RateLimited:
		return session, http.StatusTooManyRequests, nil
	}
	return session, 0, err
}

// logout ends the session, or with everywhere all sessions of the visitor.
func (v *visit) logout() error {
	var err error
	switch {
	case v.token == "":
	case v.r.PostFormValue("everywhere") != "":
		_, err = v.h.eng.EndSessions(v.r.Context(), v.session.UserID)
	default:
		err = v.h.eng.EndSession(v.r.Context(), v.token)
	}
	if err != nil {
		return err
	}
	v.setToken("")
	v.w.Header().Set("Clear-Site-Data", `"cache"`)
	if v.h.config.Authenticator != nil {
		return v.redirect("")
	}
	return v.redirect("login")
}
