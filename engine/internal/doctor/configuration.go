package doctor

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/store"
)

// examineConfiguration compiles and checks the configuration.
func (x *examination) examineConfiguration(ctx context.Context) error {
	rows, err := x.d.Store.LoadConfiguration(ctx, x.tx)
	if errors.Is(err, store.ErrNotFound) {
		return nil // the check "singleton" tells
	}
	if err != nil {
		return err
	}
	compiled, failure := x.d.Compile(rows)
	mend := ""
	if failure == nil {
		x.compiled, failure = compiled, compiled.Check()
	}
	if failure != nil {
		mend = "apply a configuration without this fault: " + failure.Error()
	}
	if settings, err := configuration.CompileSettings(rows.Settings); err == nil {
		x.settings = settings
	}
	x.addSetting("configuration", SeverityFailure, failure == nil, fmt.Sprintf("version %d", rows.Version), mend)
	if x.names, err = x.d.Store.UnfoldedNames(ctx, x.tx); err != nil {
		return err
	}
	var ids []string
	for i := range x.names {
		ids = append(ids, x.names[i].ID.String())
	}
	x.add("folded-names", SeverityFailure, store.Found(ids), "write the folded names again", x.foldNames)
	return nil
}

// foldNames writes the folded names of configured objects again.
func (x *examination) foldNames(ctx context.Context) (int, string, error) {
	return x.simple("wrote folded names", func(ctx context.Context, tx pgx.Tx) (int, error) {
		if _, err := x.d.Store.LockConfiguration(ctx, tx); err != nil {
			return 0, err
		}
		for i := range x.names {
			if err := x.d.Store.SetFoldedName(ctx, tx, &x.names[i]); err != nil {
				return 0, err
			}
		}
		_, err := x.d.Store.AdvanceConfiguration(ctx, tx)
		return len(x.names), err
	})(ctx)
}
