package configuration

import (
	"slices"
	"strings"

	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/refresh"
)

// The published features of sources that the engine asks for.
const (
	FeatureEnable = "ENABLE" // accounts can be enabled and disabled
	FeatureUnlock = "UNLOCK" // accounts can be unlocked
)

// Can reports whether accounts of the source can be asked to be enabled, disabled or unlocked. Where the source lists
// its features, they say so. A source that lists none can do what it tells of its accounts: it can enable and disable
// them where accountStatus or the account schema names the attribute that says whether one can be used, and unlock them
// where the schema has the attribute [refresh.LockAttribute].
func (s *CompiledSource) Can(kind connector.Kind) bool {
	feature, attribute := FeatureEnable, s.Status().Attribute
	if kind == connector.Unlock {
		feature, attribute = FeatureUnlock, refresh.LockAttribute
	}
	if len(s.Features) > 0 {
		return slices.ContainsFunc(s.Features, func(f string) bool { return strings.EqualFold(f, feature) })
	}
	if kind != connector.Unlock && s.Status() != statusDefault {
		return true
	}
	schema := s.AccountSchema()
	return schema != nil && schema.Attribute(attribute) != nil
}
