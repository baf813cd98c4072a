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

	Link     string // of the address, to be redeemed by the form; "" for none
	Form     bool   // people sign in by a name
	People   bool   // identities do
	Prints   bool   // the server prints a link
	Provider string // the name of the provider where people sign in too; "" for none
	Away     bool   // it cannot be reached
	Ends     bool   // the visitor may still be signed in there
	Next     string
	Name     string
	Problem  string
}

func (v *visit) loginView(next, name string) *loginView {
	d := v.h.config.Development
	view := &loginView{visit: v, Form: v.h.config.Passwords || d != nil && len(d.accounts) > 0,
		People: v.h.config.Passwords, Prints: d != nil, Next: ownReference(next, ""), Name: name}
	if p := v.h.config.Provider; p != nil {
		view.Provider, view.Ends = p.Name(), v.principal == nil && v.kept(endCookie) != ""
	}
	return view
}

// refuse shows the page again, with what is wrong.
func (l *loginView) refuse(status int, key string, arguments ...any) error {
	l.status, l.Problem = status, l.T(key, arguments...)
	return l.render("login", l)
}

// away says that the provider cannot be reached.
func (l *loginView) away() error {
	return l.refuse(http.StatusServiceUnavailable, "%s cannot be reached right now. Try again in a moment.", l.Provider)
}

func (v *visit) loginPage() error {
	if v.h.config.Authenticator != nil {
		return noSuchPage
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
	if p := v.h.config.Provider; p != nil {
		view.Away = p.Ready(v.r.Context()) != nil
	}
	return v.render("login", view)
}

// login signs the visitor in, by a link or by the form. The session is a new one.
func (v *visit) login() error {
	d := v.h.config.Development
	if v.h.config.Authenticator != nil {
		return noSuchPage
	}
	view := v.loginView(v.r.PostFormValue("next"), v.r.PostFormValue("name"))
	if !v.canKeepSession() {
		return view.refuse(http.StatusForbidden, "Signing in needs HTTPS, or a browser on this machine.")
	}
	var session engine.Session
	if token := v.r.PostFormValue("link"); token != "" && d != nil {
		principal, good := d.follow(token)
		if !good {
			return view.refuse(http.StatusForbidden,
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
			return view.refuse(status, "Too many attempts: wait a while, or set a new password.")
		case status != http.StatusOK:
			return view.refuse(status, "The name or the password is wrong.")
		}
	}
	v.keep(endCookie, "", 0) // this session is not the provider's
	if err := v.openSession(session); err != nil {
		return err
	}
	return v.redirect(view.Next)
}

// openSession gives the browser a new session, and ends the one that it has.
func (v *visit) openSession(session engine.Session) error {
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
	return nil
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
