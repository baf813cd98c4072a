// Command locate prints the folder of the server programs that package pglocal would run, or why there is none: the
// Makefile asks it whether PostgreSQL must be installed.
package main

import (
	"fmt"
	"os"

	"github.com/muster-engine/muster/store/pglocal"
)

func main() {
	binaries, err := pglocal.Find("")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(binaries.Dir)
}
