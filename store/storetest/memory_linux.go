package storetest

import "syscall"

// memoryMin is how many bytes must be free in the memory for the databases of the tests.
const memoryMin = 6 << 30

// memoryFolder returns a folder that is kept in memory, where there is one with enough room: most of the time of a test
// would otherwise go into making the files of its database. "" stands for the system's folder.
func memoryFolder() string {
	const folder = "/dev/shm"
	var stat syscall.Statfs_t
	const tmpfs = 0x01021994
	if err := syscall.Statfs(folder, &stat); err != nil || stat.Type != tmpfs {
		return "" // then the tests are slower
	}
	if stat.Bavail*uint64(stat.Bsize) < memoryMin {
		return ""
	}
	return folder
}
