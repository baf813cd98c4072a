package pglocal

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"
)

// The default time limits of a [Config].
const (
	StartTimeoutDefault = time.Minute
	StopTimeoutDefault  = time.Minute
)

// Config says which server to run and where. The zero Config runs the newest installed server on a temporary folder.
type Config struct {
	// BinDir is the folder with the server programs postgres and initdb. Defaults to the folder that [Find] finds or,
	// for an existing DataDir, to an installed one of the version that made it.
	BinDir string

	// DataDir is the folder of the data. It belongs to the server. Its parents must exist or be creatable. Defaults to
	// a temporary folder, which Stop removes and whose data does not survive a crash of the machine.
	DataDir string

	// Share lets several programs use the server of a DataDir at once. Where one of them runs it, another one joins it,
	// and the last one that stops ends it, whoever started it. All of them must share. Defaults to one program alone,
	// while others get [ErrInUse].
	Share bool

	// TempDir is the folder in which the temporary folders of the server are made: the data's, where DataDir is empty,
	// and that of its socket. Defaults to the system's. Where it does not do, the system's is taken.
	TempDir string

	// Logger receives a line at level Debug when the server starts and when it stops. The server's own log is the file
	// server.log of the folder. Defaults to no logging.
	Logger *slog.Logger

	// Settings are configuration parameters of the server by name, as in postgresql.conf. The parameters that make the
	// server private cannot be set. Defaults to the server's own defaults, except for the number of connections and, of
	// a server with a DataDir, its share of the machine's memory: an eighth for buffers, from 128 MB to 1 GB.
	Settings map[string]string

	// StartTimeout is the longest time until the server answers, including the creation of the folder or the recovery
	// from a crash. Defaults to one minute.
	StartTimeout time.Duration

	// StopTimeout is the longest time for the server to end its work before it is stopped immediately. Defaults to one
	// minute.
	StopTimeout time.Duration
}

func (c Config) withDefaults() Config {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.StartTimeout == 0 {
		c.StartTimeout = StartTimeoutDefault
	}
	if c.StopTimeout == 0 {
		c.StopTimeout = StopTimeoutDefault
	}
	return c
}

// reserved are the settings that make the server private and that let this package find it.
var reserved = []string{
	"data_directory", "external_pid_file", "hba_file", "listen_addresses", "port", "unix_socket_directories",
}

func (c Config) validate() error {
	for _, name := range slices.Sorted(maps.Keys(c.Settings)) {
		if slices.Contains(reserved, name) {
			return fmt.Errorf("Settings: %q cannot be set: a private server listens only on its own socket", name)
		}
	}
	if c.StartTimeout < 0 {
		return fmt.Errorf("StartTimeout must be above 0, it is %s", c.StartTimeout)
	}
	if c.StopTimeout < 0 {
		return fmt.Errorf("StopTimeout must be above 0, it is %s", c.StopTimeout)
	}
	return nil
}

// settings returns the parameters for the command line. compression is how the server compresses its log.
func (c Config) settings(socketDir, compression string) []string {
	settings := map[string]string{"max_connections": "200"}
	if c.DataDir == "" {
		// No one reads the data after a crash.
		maps.Copy(settings, map[string]string{
			"fsync": "off", "full_page_writes": "off", "max_wal_senders": "0", "synchronous_commit": "off",
			"wal_level": "minimal",
		})
	} else {
		settings["wal_compression"] = compression
		maps.Copy(settings, sized(memory()))
	}
	maps.Copy(settings, c.Settings)
	settings["listen_addresses"] = ""
	settings["port"] = port
	settings["unix_socket_directories"] = `"` + socketDir + `"`
	var arguments []string
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		arguments = append(arguments, "-c", name+"="+settings[name])
	}
	return arguments
}
