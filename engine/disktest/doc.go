// Package disktest fills the disk of PostgreSQL, and sees that callers get Unavailable meanwhile and that nothing is
// lost when there is room again. It needs the build tag disk, Linux, and root: it mounts a small file system in memory.
//
//	make test-disk
package disktest
