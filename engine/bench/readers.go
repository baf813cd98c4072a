package main

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/muster-engine/muster/engine"
)

// readersShare is the number of people for each report of the one manager.
const readersShare = 10

// readersConfig is a company whose people read the site of their manager.
const readersConfig = `
identityAttributes:
  - {name: site, displayName: Site, type: string}
  - {name: desk, displayName: Desk, type: string}
  - {name: bossSite, displayName: Site of the manager, type: string}
sources:
  - name: Staff
    connector: delimited-file
    schemas:
      - name: account
        identityAttribute: id
        attributes: [{name: id}, {name: site}, {name: desk}, {name: boss}]
    managerCorrelationMapping: {accountAttributeName: boss, identityAttributeName: uid}
identityProfiles:
  - name: Staff
    authoritativeSource: {type: SOURCE, name: Staff}
    identityAttributeConfig:
      enabled: true
      attributeTransforms:
        - identityAttributeName: uid
          transformDefinition: {type: accountAttribute, attributes: {sourceName: Staff, attributeName: id}}
        - identityAttributeName: site
          transformDefinition: {type: accountAttribute, attributes: {sourceName: Staff, attributeName: site}}
        - identityAttributeName: desk
          transformDefinition: {type: accountAttribute, attributes: {sourceName: Staff, attributeName: desk}}
        - identityAttributeName: bossSite
          transformDefinition:
            type: rule
            attributes:
              name: Cloud Services Deployment Utility
              operation: getReferenceIdentityAttribute
              uid: manager
              attributeName: site
`

// readersCase measures what follows when a manager of a tenth of the company changes an attribute that the reports
// read. It compares that with the processing of the same reports, each of which changed an attribute of its own.
func readersCase(ctx context.Context, b *bench) error {
	reports := b.people / readersShare
	p, err := b.tenant(ctx, "readers", readersConfig)
	if err != nil {
		return err
	}
	round := 0
	// rows writes the people from one to another; the first one is the manager of the reports after it.
	rows := func(from, to, site, desk int) []byte {
		text := bytes.NewBufferString("id,site,desk,boss\n")
		for i := from; i < to; i++ {
			boss := ""
			if i > 0 && i <= reports {
				boss = "p0"
			}
			fmt.Fprintf(text, "p%d,site %d,desk %d,%s\n", i, site, desk, boss)
		}
		return text.Bytes()
	}
	process := func(ctx context.Context, text []byte, delta bool, want int) (time.Duration, error) {
		if _, err := p.aggregate(ctx, "Staff", text, engine.AggregateOptions{Delta: delta}); err != nil {
			return 0, err
		}
		var result engine.ProcessResult
		took, err := timed(func() (err error) {
			result, err = p.engine.ProcessPending(ctx, engine.ProcessOptions{})
			return err
		})
		if err == nil && result.Changed != want {
			err = fmt.Errorf("%d identities changed where %d should", result.Changed, want)
		}
		return took, err
	}
	if _, err := process(ctx, rows(0, b.people, 0, 0), false, b.people); err != nil {
		return err
	}
	if err := p.settle(ctx); err != nil {
		return err
	}
	desk := 0
	byManager := func(ctx context.Context) (time.Duration, error) {
		round++
		return process(ctx, rows(0, 1, round, desk), true, reports+1)
	}
	byThemselves := func(ctx context.Context) (time.Duration, error) {
		desk++
		return process(ctx, rows(1, reports+1, 0, desk), true, reports)
	}
	medians, err := b.alternate(ctx, b.rounds, byManager, byThemselves)
	if err != nil {
		return err
	}
	b.add(against("a manager's attribute changes", rate(reports, medians[0]), "the reports change themselves",
		rate(reports, medians[1])), ratioAtLeast(0.5))
	return p.settle(ctx)
}
