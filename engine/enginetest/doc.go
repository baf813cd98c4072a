// Package enginetest gives a test an engine on a database of its own, and a small company to fill it with.
//
//	func TestMain(m *testing.M) { storetest.Main(m) }
//
//	func TestBossIsKnown(t *testing.T) {
//		c := enginetest.New(t)
//		if got, want := c.Identity("bob").ManagerRef.ID, c.ID("ayse"); got != want {
//			t.Errorf("the manager of Bob is %s, want %s", got, want)
//		}
//		c.AggregateText("Directory", enginetest.DirectoryHeader+"bobt,bob@example.com,,sales,true\n",
//			engine.AggregateOptions{})
//		c.Process()
//		...
//	}
//
// The company reads its people from the source HR, which is authoritative, and their logins from the source Directory.
// The identity profile Employees maps both. These are its people, as HR has them; the profile does not know the state
// of Cy, and nobody is their own manager:
//
//	alias  name         department  manager  state
//	ann    Ann Boss     Board
//	ayse   Ünal, Ayşe   Sales       ann      active
//	bob    Bob Twain    Sales       ayse     leave
//	cy     Cy Self      Legal       cy       unknown
//	dee    Dee Strauß   Sales       ayse     inactive
//
// [New] makes this company, [NewEmpty] an engine without anything, to which a test applies [Documents], [Roles] or
// documents of its own. [WithConfig], [WithClock] and [WithPool] say how the engine is made; [Of] takes one that the
// host has made. A [Company] has every method of the engine, and some that fail the test themselves instead of
// returning an error. No worker runs unless the test calls Start: Process carries out what waits.
//
// The tables that [Company.CountRows] reads are no public API: a new version may name them differently.
package enginetest
