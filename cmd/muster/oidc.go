package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-engine/muster/engine/connector/secret"
	"github.com/muster-engine/muster/engine/console"
	"github.com/muster-engine/muster/engine/console/oidclogin"
)

// oidcFlags say at which OpenID provider people sign in to the console.
type oidcFlags struct {
	issuer, clientID, clientSecret, name string
	aliasClaim, levelsClaim              string
	levels, scopes                       []string
	maxAge                               time.Duration
}

// register adds the flags to a command.
func (o *oidcFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&o.issuer, "oidc-issuer", "", "address of the OpenID provider where people sign in to the console")
	flags.StringVar(&o.clientID, "oidc-client-id", "", "the console's client ID there")
	flags.StringVar(&o.clientSecret, "oidc-client-secret", "",
		"reference to its secret: env:NAME or file:PATH (default: a public client)")
	flags.StringVar(&o.name, "oidc-name", "", "what people call the provider (default: the host of --oidc-issuer)")
	flags.StringSliceVar(&o.scopes, "oidc-scopes", nil,
		"scopes to ask for beside openid, separated by commas (default: profile,email)")
	flags.StringVar(&o.aliasClaim, "oidc-alias-claim", "", "claim with a person's alias, such as preferred_username, "+
		"which people must not be able to choose at the provider (default: the claim identity_id alone says who it is)")
	flags.StringVar(&o.levelsClaim, "oidc-levels-claim", "",
		"claim whose values give user levels, such as groups (default: those that Muster has of the identity)")
	flags.StringArrayVar(&o.levels, "oidc-level", nil,
		"user level of a value of --oidc-levels-claim, as admins=ORG_ADMIN; may be repeated")
	flags.DurationVar(&o.maxAge, "oidc-max-age", 0,
		"how long ago people may have signed in at the provider (default: any time)")
}

// given reports whether a flag is given.
func (o *oidcFlags) given() bool {
	texts := []string{o.issuer, o.clientID, o.clientSecret, o.name, o.aliasClaim, o.levelsClaim}
	return slices.ContainsFunc(texts, func(text string) bool { return text != "" }) || len(o.levels) > 0 ||
		len(o.scopes) > 0 || o.maxAge != 0
}

// oidcFlagOf maps the members of [oidclogin.Config] that errors name to flags.
var oidcFlagOf = map[string]string{
	"ClientID": "--oidc-client-id", "Issuer": "--oidc-issuer", "Levels": "--oidc-level", "MaxAge": "--oidc-max-age",
	"RedirectURL": "--external-url", "Scopes": "--oidc-scopes",
}

// login returns the sign-in at the provider, nil for none. back is where browsers reach the console; "" where nobody
// knows it.
func (o *oidcFlags) login(a *app, back string) (*oidclogin.Login, error) {
	if !o.given() {
		return nil, nil
	}
	config := oidclogin.Config{AliasClaim: o.aliasClaim, ClientID: o.clientID, Issuer: o.issuer,
		LevelsClaim: o.levelsClaim, Logger: a.log, MaxAge: o.maxAge, Name: o.name, Scopes: o.scopes,
		RedirectURL: back + console.ProviderReturn}
	switch {
	case o.issuer == "":
		return nil, usage("--oidc-issuer is missing: the other flags of OpenID Connect belong to it")
	case o.clientID == "":
		return nil, usage("--oidc-client-id is missing: the provider gives it")
	case (o.levelsClaim == "") != (len(o.levels) == 0):
		return nil, usage("--oidc-levels-claim and --oidc-level belong together: one is given")
	case back == "":
		return nil, usage("--external-url is missing: the provider sends browsers back to an address that it knows, " +
			"and --listen names none")
	}
	for _, text := range o.levels {
		at := strings.LastIndexByte(text, '=') // names of groups may have one too
		if at <= 0 {
			return nil, usage("--oidc-level: %q is given where VALUE=LEVEL is expected, as admins=ORG_ADMIN", text)
		}
		if config.Levels == nil {
			config.Levels = map[string][]string{}
		}
		config.Levels[text[:at]] = append(config.Levels[text[:at]], text[at+1:])
	}
	if o.clientSecret != "" {
		if _, _, err := secret.Parse(o.clientSecret); err != nil {
			return nil, usage("--oidc-client-secret: %w", err)
		}
		var err error
		if config.ClientSecret, err = secret.Read(o.clientSecret); err != nil {
			return nil, fmt.Errorf("--oidc-client-secret: %w", err)
		}
	}
	login, err := oidclogin.New(config)
	if err != nil {
		text := strings.TrimPrefix(err.Error(), "oidclogin: ")
		member, rest, _ := strings.Cut(text, ":")
		if flag, known := oidcFlagOf[member]; known {
			return nil, usage("%s:%s", flag, rest)
		}
		return nil, usage("%w", err)
	}
	return login, nil
}
