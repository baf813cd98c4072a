package enginetest_test

import (
	"fmt"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
)

// A test has enginetest.New(t) in the place of NewExample. Ayşe moves from Sales to Legal, and
// loses the role of Sales; Bob, who is on leave, has none.
func Example() {
	c, drop := enginetest.NewExample()
	defer drop()
	c.ApplyText(enginetest.Roles)
	c.Process()
	inSales := engine.ListParams{Filters: `department eq "Sales"`, AnyField: true, Sorters: "name"}
	fmt.Println(c.Names(inSales), c.CountRows("muster.role_assignments"), "assignments")

	c.AggregateText("HR", enginetest.PeopleHeader+"ayse,\"Ünal, Ayşe\",Ayşe,Ünal,ayse@example.com,Legal,ann,33,active\n",
		engine.AggregateOptions{Delta: true}) // the others stay as they are
	c.Process()
	fmt.Println(c.Names(inSales), c.CountRows("muster.role_assignments"), "assignments")
	// Output:
	// [Bob Twain Dee Strauß Ünal, Ayşe] 2 assignments
	// [Bob Twain Dee Strauß] 1 assignments
}
