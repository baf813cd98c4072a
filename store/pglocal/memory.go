package pglocal

import (
	"bytes"
	"os"
	"strconv"
)

// The memory that a durable server takes for its buffers: an eighth of the machine's, since a program runs beside it,
// within these limits. The lower one is PostgreSQL's default.
const (
	buffersShare = 8
	buffersMin   = 128 << 20
	buffersMax   = 1 << 30
)

// largeMemory is from how much memory on a server keeps up to 2 GB of its log instead of 1, so that a first load needs
// fewer checkpoints.
const largeMemory = 4 << 30

// sized returns the settings of a durable server on a machine with some memory, in bytes: none where that is unknown.
func sized(memory int64) map[string]string {
	if memory <= 0 {
		return nil
	}
	settings := map[string]string{
		"shared_buffers":       megabytes(min(max(memory/buffersShare, buffersMin), buffersMax)),
		"effective_cache_size": megabytes(max(memory/2, buffersMin)),
	}
	if memory >= largeMemory {
		settings["max_wal_size"] = megabytes(2 << 30)
	}
	return settings
}

func megabytes(size int64) string { return strconv.FormatInt(size>>20, 10) + "MB" }

// memory returns the memory that the processes of this machine share, in bytes, or that of the container where it has
// less. It is 0 where the system does not tell: only Linux does by these files.
func memory() int64 {
	total := int64(0)
	if text, err := os.ReadFile("/proc/meminfo"); err == nil {
		total = memoryTotal(text)
	}
	for _, name := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		text, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		limit, err := strconv.ParseInt(string(bytes.TrimSpace(text)), 10, 64)
		if err == nil && limit > 0 && limit < total { // "max" is no limit
			total = limit
		}
	}
	return total
}

// memoryTotal returns the memory that /proc/meminfo tells, in bytes; 0 where it does not.
func memoryTotal(text []byte) int64 {
	for line := range bytes.Lines(text) {
		fields := bytes.Fields(line)
		if len(fields) == 3 && string(fields[0]) == "MemTotal:" && string(fields[2]) == "kB" {
			size, err := strconv.ParseInt(string(fields[1]), 10, 64)
			if err != nil || size < 0 || size > 1<<40 {
				return 0
			}
			return size << 10
		}
	}
	return 0
}
