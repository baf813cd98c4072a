// Command locate prints the folder of the server programs that package pglocal would run, or says why there is none.
// The Makefile calls it to find out whether PostgreSQL must be installed.
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
