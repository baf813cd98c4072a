package pglocal

import (
	"bufio"
	"os"
	"runtime"
	"slices"
	"strings"
)

// installCommands maps the ID of os-release(5) to the command that installs the server programs.
var installCommands = map[string]string{
	"alpine":   "apk add postgresql postgresql-contrib",
	"arch":     "pacman -S postgresql",
	"debian":   "apt-get install postgresql",
	"fedora":   "dnf install postgresql-server postgresql-contrib",
	"opensuse": "zypper install postgresql-server postgresql-contrib",
	"rhel":     "dnf install postgresql-server postgresql-contrib",
	"suse":     "zypper install postgresql-server postgresql-contrib",
	"ubuntu":   "apt-get install postgresql",
}

// installCommand returns the command that installs the server programs on this system.
func installCommand() string {
	switch runtime.GOOS {
	case "darwin":
		return "brew install postgresql@17"
	case "freebsd":
		return "pkg install postgresql17-server postgresql17-contrib"
	}
	for _, id := range systemIDs() {
		if command, ok := installCommands[id]; ok {
			return command
		}
	}
	return "see https://www.postgresql.org/download/"
}

// systemIDs returns the ID of the distribution, and those of similar ones, the nearest first.
func systemIDs() []string {
	file, err := os.Open("/etc/os-release")
	if err != nil {
		return nil // a system without a description
	}
	defer func() { _ = file.Close() }() // only read
	var id, like []string
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), "=")
		value = strings.Trim(value, `"'`)
		switch name {
		case "ID":
			id = []string{value}
		case "ID_LIKE":
			like = strings.Fields(value)
		}
	}
	return slices.Concat(id, like)
}
