package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/muster-engine/muster/engine"
)

func (a *app) identitiesRedeemCommand() *cobra.Command {
	return &cobra.Command{
		Use: "redeem", Short: "Redeem the token of an invitation or a verification, with a new password",
		Long: `Redeem reads the token of a message, or the link with it, and then the new password, each on a line of
the standard input. At a terminal it asks for both, and shows neither. Nothing of them is an argument, which others
could see.

The token of an invitation registers the person. That of a verification sets the password on the source that it names,
or the one by which the person signs in to Muster.`,
		Args: exactArgs(0, "no argument: the token and the password are read from the standard input"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			lines := a.secretLines()
			given, err := lines("Token or link: ")
			if err != nil {
				return err
			}
			password, err := lines("New password: ")
			if err != nil {
				return err
			}
			return a.withEngine(cmd.Context(), func(eng *engine.Engine) error {
				return a.redeem(cmd.Context(), eng, tokenOf(given), password)
			})
		},
	}
}

// redeem redeems a token by what it is for.
func (a *app) redeem(ctx context.Context, eng *engine.Engine, token, password string) error {
	found, err := eng.FindToken(ctx, token)
	if err != nil {
		return err
	}
	if password == "" {
		return usage("the password is missing: it is the second line")
	}
	if found.Purpose == engine.PurposeInvitation {
		if _, err := eng.Register(ctx, token, password); err != nil {
			return err
		}
		fmt.Fprintf(a.stdout, "%s is registered\n", found.Identity.Alias)
		return nil
	}
	if _, err := eng.RedeemVerification(ctx, token, password); err != nil {
		return err
	}
	if found.Source == "" {
		fmt.Fprintf(a.stdout, "%s has a new password\n", found.Identity.Alias)
	} else {
		fmt.Fprintf(a.stdout, "%s has a new password on %s\n", found.Identity.Alias, found.Source)
	}
	return nil
}

// tokenOf returns the token of a link, or a token as it is.
func tokenOf(given string) string {
	if link, err := url.Parse(given); err == nil && link.Query().Has("token") {
		return link.Query().Get("token")
	}
	return given
}

// secretLines returns a function that reads the next line: from a terminal after a question, and without showing it.
func (a *app) secretLines() func(question string) (string, error) {
	if file, isFile := a.stdin.(*os.File); isFile && term.IsTerminal(int(file.Fd())) {
		return func(question string) (string, error) {
			fmt.Fprint(a.stderr, question)
			line, err := term.ReadPassword(int(file.Fd()))
			fmt.Fprintln(a.stderr)
			return string(line), err
		}
	}
	reader := bufio.NewReader(a.stdin)
	return func(string) (string, error) {
		line, err := reader.ReadString('\n')
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return strings.TrimRight(line, "\r\n"), err
	}
}
