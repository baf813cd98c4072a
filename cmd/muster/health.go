package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// The limits of the question for health.
const (
	healthTimeout = 4 * time.Second
	healthBodyMax = 4 << 10 // bytes
	healthDefault = "http://127.0.0.1:8080/readyz"
)

func (a *app) healthCommand() *cobra.Command {
	var anyCertificate bool
	cmd := &cobra.Command{
		Use: "health [URL]", Short: "Ask whether a server is ready, as containers do",
		Long: `Health asks the URL, by default ` + healthDefault +
			`, and exits with 0 if the server is ready, with 1 if it
is not or does not answer. It is for images without a shell.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			url := strings.Join(args, "")
			if url == "" {
				url = healthDefault
			}
			return a.health(cmd.Context(), url, anyCertificate)
		},
	}
	cmd.Flags().BoolVar(&anyCertificate, "any-certificate", false,
		"accept every certificate: that of a server has the name by which others reach it")
	return cmd
}

func (a *app) health(ctx context.Context, url string, anyCertificate bool) error {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return usageError{err}
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true,
		// it sends nothing, and is asked for
		TLSClientConfig: &tls.Config{InsecureSkipVerify: anyCertificate}}} //nolint:gosec // see above
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, healthBodyMax))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", url, response.Status, oneLine(strings.TrimSpace(string(text))))
	}
	fmt.Fprintln(a.stdout, oneLine(strings.TrimSpace(string(text))))
	return nil
}
