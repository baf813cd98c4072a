package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/muster-engine/muster/engine/internal/tenant"
	"github.com/muster-engine/muster/store"
)

// examineEngines compares the engines that run with each other, and what their Configs give with the tenant's settings.
func (x *examination) examineEngines(ctx context.Context) error {
	running, err := x.d.RunningEngines(ctx, x.tx)
	if err != nil {
		return err
	}
	const same = "start all engines of the tenant with the same "
	x.add("engine-rules", SeverityFailure, differing(running, func(r *tenant.Running) string {
		return listed("rules", r.Rules)
	}), same+"Config.Rules: they calculate differently", nil)
	x.add("engine-connectors", SeverityFailure, differing(running, func(r *tenant.Running) string {
		return listed("connectors", r.Connectors)
	}), same+"Config.Connectors: operations of the others' sources are left to people by some", nil)
	x.add("engine-version", SeverityWarning, differing(running, func(r *tenant.Running) string {
		return fmt.Sprintf("version %s, tables %d", r.Version, r.SchemaVersion)
	}), same+"version, unless an upgrade is under way", nil)
	var contradicting []string
	for i := range running {
		if x.settings == nil {
			break // the check of the configuration tells
		}
		for _, c := range running[i].Contradictions(x.settings) {
			contradicting = append(contradicting, fmt.Sprintf("%s: Config.%s is %s, %s is %s", nameOf(&running[i]),
				c.Field, c.Given, c.Setting, c.Tenant))
		}
	}
	x.add("engine-settings", SeverityWarning, store.Found(contradicting), "these engines follow the tenant's "+
		"settings, and would not start again: leave the field of Config zero, or apply a SETTINGS object that says "+
		"the same", nil)
	return nil
}

// listed returns names as a finding shows them.
func listed(what string, names []string) string {
	if len(names) == 0 {
		return "no " + what
	}
	return what + " " + strings.Join(names, ", ")
}

// nameOf names a running engine by its host and process.
func nameOf(r *tenant.Running) string { return fmt.Sprintf("%s, process %d", r.Host, r.Process) }

// differing returns a finding of all engines, each with what it says, where they do not all say the same.
func differing(running []tenant.Running, say func(*tenant.Running) string) store.Finding {
	texts := make([]string, len(running))
	said := map[string]bool{}
	for i := range running {
		text := say(&running[i])
		said[text] = true
		texts[i] = nameOf(&running[i]) + ": " + text
	}
	if len(said) < 2 {
		return store.Found(nil)
	}
	slices.Sort(texts)
	return store.Found(texts)
}
