package processing

import (
	"context"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/engine/transform"
)

// names are the names in use that generated ones must differ from, for one batch.
type names struct {
	ctx   context.Context //nolint:containedctx // it lives as long as the batch, whose context it is
	read  *Read
	inUse map[nameSet]map[string]bool
}

// nameSet are the values of an attribute of the accounts of a source.
type nameSet struct {
	source    refresh.ID
	attribute string
}

// taken reports whether a name is in use: as the value of its attribute, or as the native identity where the attribute
// names the accounts. It looks at the accounts of the source, at what open operations write there, and at what this
// batch will open operations for, and compares as the source does.
//
// The first question about a source waits for other batches that generate names for it: the names that they give are
// known when they end. A name that the source has and no aggregation has read yet is not known.
func (n *names) taken(id refresh.ID, c transform.Candidate) (bool, error) {
	source := n.read.Configuration.Sources[id]
	if source == nil {
		return false, nil
	}
	equality := source.NameEquality(c.Attribute)
	wanted := equality.Key(c.Name)
	for i := range n.read.changes {
		for k := range n.read.changes[i].Access.Open {
			o := &n.read.changes[i].Access.Open[k]
			if o.SourceID != id || o.Kind.Effect() == connector.Removes {
				continue
			}
			for _, text := range o.Attributes.Get(c.Attribute).Strings() {
				if equality.Key(text) == wanted {
					return true, nil
				}
			}
		}
	}
	set, err := n.load(source, c.Attribute)
	return set[wanted], failedLookup(err)
}

// load returns the names that the database knows.
func (n *names) load(source *configuration.CompiledSource, attribute string) (map[string]bool, error) {
	key := nameSet{source.RowID, attribute}
	if set, loaded := n.inUse[key]; loaded {
		return set, nil
	}
	s := n.read.Store
	if !n.read.readOnly {
		if err := s.LockNames(n.ctx, n.read.Tx, source.RowID); err != nil {
			return nil, err
		}
	}
	list, err := s.NamesInUse(n.ctx, n.read.Tx, source.RowID, attribute, source.NamesAccounts(attribute))
	if err != nil {
		return nil, err
	}
	set := make(map[string]bool, len(list))
	equality := source.NameEquality(attribute)
	for _, name := range list {
		set[equality.Key(name)] = true
	}
	if n.inUse == nil {
		n.inUse = map[nameSet]map[string]bool{}
	}
	n.inUse[key] = set
	return set, nil
}
