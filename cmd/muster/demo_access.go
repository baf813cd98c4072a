package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/muster-engine/muster/cmd/muster/company"
	"github.com/muster-engine/muster/engine"
)

// peopleWithChanges is the least number of people for the demo of access.
const peopleWithChanges = 4

// access shows the provisioning of access to a source. The source is a file, which is printed before and after.
func (d *demonstration) access() (err error) {
	if d.people < peopleWithChanges {
		return nil
	}
	folder := d.sources
	if folder == "" {
		if folder, err = os.MkdirTemp("", "muster-demo-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	} else if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	file := filepath.Join(folder, company.PortalFile)
	if _, err := os.Stat(file); err != nil { // a second demo on the same data goes on with the same file
		if err := os.WriteFile(file, []byte(company.PortalText), 0o644); err != nil {
			return err
		}
	}
	documents, err := engine.ReadDocuments("portal.yaml", bytes.NewReader(d.company.PortalConfig(folder)))
	if err != nil {
		return err
	}
	if _, err := d.eng.Apply(d.ctx, documents); err != nil {
		return err
	}
	if _, err := d.eng.AggregateSource(d.ctx, company.Portal, engine.AggregateOptions{}); err != nil {
		return err
	}
	d.heading("Access: the role Leadership grants an access profile of the source %q, a file", company.Portal)
	if err := d.provisioned(); err != nil {
		return err
	}
	before, err := d.printFile("The file now", file, nil)
	if err != nil {
		return err
	}
	changes := d.company.Changes()
	fmt.Fprintln(d.stdout, "\n  The next changes that the HR system reports")
	for _, change := range changes {
		fmt.Fprintf(d.stdout, "    %s %s\n", change.Who, change.What)
	}
	var rows bytes.Buffer
	if err := company.WriteChanges(changes, &rows); err != nil {
		return err
	}
	if _, err := d.eng.Aggregate(d.ctx, company.HR, &rows, engine.AggregateOptions{Delta: true}); err != nil {
		return err
	}
	if err := d.provisioned(); err != nil {
		return err
	}
	_, err = d.printFile("The file afterwards, with the new lines marked", file, before)
	return err
}

// provisioned processes and provisions everything that waits, and prints a summary.
func (d *demonstration) provisioned() error {
	result, err := d.processPending(d.ctx, d.eng)
	if err != nil {
		return err
	}
	fmt.Fprintf(d.stdout, "  processed %d identities: %d roles gained, %d lost; %d operations done on sources, "+
		"%d failed\n",
		result.Identities, result.RolesGained, result.RolesLost, result.Provisioning.Done, result.Provisioning.Failed)
	d.printMessagesOf(&result)
	if result.Provisioning.Failed > 0 {
		return errors.New("an operation on the sample company's source failed")
	}
	return nil
}

// printFile prints a file, and marks the lines that are not in before.
func (d *demonstration) printFile(title, file string, before []string) ([]string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(d.stdout, "\n  %s\n", title)
	known := map[string]bool{}
	for _, line := range before {
		known[line] = true
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	for _, line := range lines {
		mark := " "
		if before != nil && !known[line] {
			mark = "*"
		}
		fmt.Fprintf(d.stdout, "   %s %s\n", mark, line)
	}
	return lines, nil
}
