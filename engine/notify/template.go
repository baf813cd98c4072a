package notify

import (
	"cmp"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"net/url"
	"strings"
	texttemplate "text/template"
	"time"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/configuration"
)

// Links are the URLs of the host's landing pages, with {token} in place of the token.
type Links struct {
	Invitation   string
	Verification string
}

// tokenPlace is the placeholder for the token in a link.
const tokenPlace = configuration.TokenPlace

func (l *Links) validate() error {
	for name, link := range map[string]string{"Invitation": l.Invitation, "Verification": l.Verification} {
		if link == "" {
			continue
		}
		parsed, err := url.Parse(strings.ReplaceAll(link, tokenPlace, "x"))
		if err != nil || parsed.Host == "" || parsed.Scheme != "https" && parsed.Scheme != "http" ||
			!strings.Contains(link, tokenPlace) {
			return fmt.Errorf("Links.%s: an address with %s in it is expected, as "+
				"https://example.com/register?token=%s", name, tokenPlace, tokenPlace)
		}
	}
	return nil
}

// Texts are the texts of one kind of message: templates of text/template and html/template over [Data].
type Texts struct {
	Subject, Text, HTML string
}

// Templates are the texts of all messages. Empty texts are those of this package.
type Templates struct {
	Invitation   Texts
	Verification Texts
}

// Data is the data of templates.
type Data struct {
	Name    string    // of the person
	Link    string    // contains the token; "" if the person types the token in
	Token   string    // to type in; "" if there is a link
	Source  string    // the source of the password to set; "" for the host's own
	Expires time.Time // in UTC
}

var defaults = Templates{
	Invitation: Texts{
		Subject: "You are invited to register",
		Text: `Hello {{.Name}},

you are invited to register. Follow this link to choose a password and sign in:

{{.Link}}

You can use the link once, until {{.Expires.Format "2 January 2006 15:04 MST"}}. If you did not expect this message,
you can ignore it.
`,
		HTML: `<p>Hello {{.Name}},</p>
<p>you are invited to register. <a href="{{.Link}}">Choose a password and sign in</a>.</p>
<p>You can use the link once, until {{.Expires.Format "2 January 2006 15:04 MST"}}. If you did not expect this message,
you can ignore it.</p>
`,
	},
	Verification: Texts{
		Subject: "Set a new password",
		Text: `Hello {{.Name}},

{{if .Link}}follow this link to set a new password{{if .Source}} for {{.Source}}{{end}}:

{{.Link}}

The link{{else}}this is the code to set a new password{{if .Source}} for {{.Source}}{{end}}:

{{.Token}}

The code{{end}} works once, until {{.Expires.Format "2 January 2006 15:04 MST"}}. If you did not ask for it, you can
ignore this message: your password stays as it is.
`,
		HTML: `<p>Hello {{.Name}},</p>
{{if .Link}}<p><a href="{{.Link}}">Set a new password</a>{{if .Source}} for {{.Source}}{{end}}.</p>
{{else}}<p>this is the code to set a new password{{if .Source}} for {{.Source}}{{end}}:</p>
<p><code>{{.Token}}</code></p>
{{end}}<p>It works once, until {{.Expires.Format "2 January 2006 15:04 MST"}}. If you did not ask for it, you can
ignore this message: your password stays as it is.</p>
`,
	},
}

// compiled is the templates of one kind of message.
type compiled struct {
	subject, text *texttemplate.Template
	html          *htmltemplate.Template
}

func compile(name string, own, standard Texts) (c compiled, err error) {
	pick := func(text, other string) string {
		if text == "" {
			return other
		}
		return text
	}
	if c.subject, err = texttemplate.New(name + ".Subject").Parse(pick(own.Subject, standard.Subject)); err != nil {
		return c, err
	}
	if c.text, err = texttemplate.New(name + ".Text").Parse(pick(own.Text, standard.Text)); err != nil {
		return c, err
	}
	c.html, err = htmltemplate.New(name + ".HTML").Parse(pick(own.HTML, standard.HTML))
	if err != nil {
		return c, err
	}
	// Try both forms now, so that a fault does not wait for the first message.
	for _, data := range []Data{{Link: "https://example.com/?token=x"}, {Token: "x", Source: "Source"}} {
		data.Name, data.Expires = "Name", time.Unix(0, 0).UTC()
		if _, err := c.render(&data); err != nil {
			return c, err
		}
	}
	return c, nil
}

// rendered is the text of a message.
type rendered struct{ subject, text, html string }

func (c *compiled) render(data *Data) (rendered, error) {
	var subject, text, html strings.Builder
	if err := errors.Join(c.subject.Execute(&subject, data), c.text.Execute(&text, data),
		c.html.Execute(&html, data)); err != nil {
		return rendered{}, err
	}
	return rendered{oneLine(subject.String()), text.String(), html.String()}, nil
}

// oneLine turns any text into one line.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// composer makes the texts of messages.
type composer struct {
	links     Links
	templates map[string]compiled
}

func newComposer(links, pages Links, templates Templates) (*composer, error) {
	if err := errors.Join(links.validate(), pages.validate()); err != nil {
		return nil, err
	}
	links = Links{Invitation: cmp.Or(links.Invitation, pages.Invitation),
		Verification: cmp.Or(links.Verification, pages.Verification)}
	invitation, err := compile("Invitation", templates.Invitation, defaults.Invitation)
	if err != nil {
		return nil, err
	}
	verification, err := compile("Verification", templates.Verification, defaults.Verification)
	return &composer{links, map[string]compiled{engine.PurposeInvitation: invitation,
		engine.PurposeVerification: verification}}, err
}

// compose returns the text of a message.
func (c *composer) compose(m *engine.Message) (rendered, error) {
	template, known := c.templates[m.Purpose]
	if !known {
		return rendered{}, fmt.Errorf("there is no text for a message of the purpose %q", m.Purpose)
	}
	// A name comes from a source, so it must not be able to add paragraphs to the message.
	data := &Data{Name: oneLine(m.Identity.Name), Source: oneLine(m.Source), Expires: m.Expires.UTC()}
	link := m.URL
	switch { // the settings have none, or the engine does not follow them, as a test's
	case link != "":
	case m.Purpose == engine.PurposeVerification:
		link = c.links.Verification
	default:
		link = c.links.Invitation
	}
	if m.Via == engine.ViaEmailWork || m.Via == engine.ViaEmailPersonal {
		data.Token = m.Token
	} else if link == "" {
		return rendered{}, errors.New("the tenant's settings have no page for the link: mail.invitationUrl, " +
			"mail.verificationUrl")
	} else {
		data.Link = strings.ReplaceAll(link, tokenPlace, url.QueryEscape(m.Token))
	}
	return template.render(data)
}
