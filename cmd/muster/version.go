package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muster-engine/muster/migrations"
)

// build says what this program was built from.
type build struct {
	Version string `json:"version"` // of the module, "(devel)" for a build outside of a release
	Commit  string `json:"commit"`  // "" where the build did not see the repository
	Time    string `json:"time"`    // of the commit
	// Modified says that files differed from the commit.
	Modified bool   `json:"modified"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Schema   int64  `json:"schema"` // the version of the tables that it works with
}

// thisBuild reads what the Go tools wrote into the program.
func thisBuild() build {
	b := build{Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, Schema: migrations.Latest()}
	info, known := debug.ReadBuildInfo()
	if known {
		b.Version = info.Main.Version
		for _, setting := range info.Settings {
			switch setting.Key {
			case "vcs.revision":
				b.Commit = setting.Value
			case "vcs.time":
				b.Time = setting.Value
			case "vcs.modified":
				b.Modified = setting.Value == "true"
			}
		}
	}
	b.Version = cmp.Or(b.Version, "(devel)")
	return b
}

func (b build) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "muster %s\n", b.Version)
	commit := cmp.Or(b.Commit, "unknown: it was built without its repository")
	if b.Time != "" {
		commit += " of " + b.Time
	}
	if b.Modified {
		commit += ", modified"
	}
	fmt.Fprintf(&text, "commit    %s\n", commit)
	fmt.Fprintf(&text, "go        %s, %s\n", b.Go, b.Platform)
	fmt.Fprintf(&text, "schema    %d\n", b.Schema)
	return text.String()
}

func (a *app) versionCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "version", Short: "Show the version, the commit, Go, and the version of the tables",
		Args: exactArgs(0, "no argument"),
		RunE: func(*cobra.Command, []string) error {
			if err := demandOutput(output, "text", outputJSON, outputYAML); err != nil {
				return err
			}
			if output != "text" {
				return a.printValue(thisBuild(), output)
			}
			_, err := fmt.Fprint(a.stdout, thisBuild())
			return err
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text, json or yaml")
	return cmd
}
