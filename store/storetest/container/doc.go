// Package container runs the PostgreSQL of package storetest in a container. Import it for that alone:
//
//	import _ "github.com/muster-engine/muster/store/storetest/container"
//
// Then MUSTER_TEST_CONTAINERS=1 starts a container of the image MUSTER_TEST_POSTGRES_IMAGE, by default
// postgres:17-alpine. Without that variable the import changes nothing. It is a package of its own because the client
// of the containers brings many packages along, which tests on another server do not need.
package container
