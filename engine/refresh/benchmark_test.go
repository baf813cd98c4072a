package refresh

import (
	"fmt"
	"testing"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/criteria"
	"github.com/muster-engine/muster/engine/transform"
)

// An identity of which nothing changes: two accounts, 22 attributes that are taken from them as they are, and five of a
// hundred roles.
func BenchmarkCalculateUnchanged(b *testing.B) {
	snapshot, configuration := unchanged(b)
	b.ReportAllocs()
	for b.Loop() {
		change := Calculate(snapshot, configuration, now)
		if change.Err != nil || change.Differs() {
			b.Fatal(change.Err, change.Attributes, change.Gained, change.Lost)
		}
	}
}

func unchanged(b *testing.B) (*Snapshot, *Configuration) {
	b.Helper()
	register, directory := ID{1}, ID{2}
	profile := Profile{ID: ID{3}, Name: "Employees", SourceID: register, Enabled: true,
		States: map[string]LifecycleState{"active": {Active, true}}}
	held := attribute.Set{}
	account := attribute.Set{}
	for i := range 22 {
		name := fmt.Sprintf("attribute%d", i)
		switch i {
		case 0:
			name = "cloudLifecycleState"
		case 1:
			name = "uid"
		case 2:
			name = "displayName"
		}
		value := attribute.String(fmt.Sprintf("value %d", i))
		if i == 0 {
			value = attribute.String("active")
		}
		profile.Mappings = append(profile.Mappings, mapping(b, name, "Register", fmt.Sprintf("column%d", i)))
		held.Put(name, value)
		account.Put(fmt.Sprintf("column%d", i), value)
	}
	configuration := &Configuration{Profiles: []Profile{profile}}
	var list []*criteria.Criterion
	snapshot := &Snapshot{}
	for i := range 100 {
		name := fmt.Sprintf("attribute%d", 3+i%5)
		value := fmt.Sprintf("other %d", i)
		role := Role{ID: ID{4, byte(i)}, Name: fmt.Sprint("Role ", i)}
		if i < 5 {
			value = fmt.Sprintf("value %d", 3+i)
			snapshot.Assignments = append(snapshot.Assignments,
				Assignment{ID: ID{5, byte(i)}, RoleID: role.ID, Membership: true})
		}
		criterion, err := criteria.Parse(fmt.Appendf(nil, `{"operation": "EQUALS", "key": {"type": "IDENTITY", `+
			`"property": "attribute.%s"}, "stringValue": %q}`, name, value), nil)
		if err != nil {
			b.Fatal(err)
		}
		role.Criterion = criterion
		list = append(list, criterion)
		configuration.Roles = append(configuration.Roles, role)
	}
	configuration.Index = criteria.NewIndex(list)
	snapshot.Identity = State{ID: ID{6}, Calculated: Calculated{Name: "value 2", Alias: "value 1",
		Correlated: true, ProfileID: profile.ID, LifecycleState: "active", IdentityState: Active}, Attributes: held}
	snapshot.Accounts = []Account{
		{RowID: ID{7}, SourceID: register, Account: transform.Account{SourceName: "Register", Name: "x",
			Attributes: &account}},
		{RowID: ID{8}, SourceID: directory, Account: transform.Account{SourceName: "Directory", Name: "y",
			Attributes: &attribute.Set{}}},
	}
	return snapshot, configuration
}
