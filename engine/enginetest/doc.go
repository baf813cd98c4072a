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
// The identity profile Employees maps both. Each person's alias is the word in lower case:
//
//	alias  name         department  manager  state
//	ann    Ann Boss     Board                none
//	ayse   Ünal, Ayşe   Sales       ann      active
//	bob    Bob Twain    Sales       ayse     leave
//	cy     Cy Self      Legal       cy       unknown to the profile
//	dee    Dee Strauß   Sales       ayse     inactive
//
// [New] makes this company, [NewEmpty] an engine without anything, to which a test applies [Documents], [Roles] or
// documents of its own. [WithConfig], [WithClock] and [WithPool] say how the engine is made; [Of] takes one that the host
// has made. A [Company] has every method of the engine, and some that fail the test themselves instead of returning an
// error. No worker runs unless the test calls Start: what waits is done by Process, and so at a known moment.
//
// What a test reads straight from the tables, such as [Company.CountRows], is no public API: a new version may name
// tables differently.
package enginetest
