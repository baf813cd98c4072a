package sdktest

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// tested is the program that runs, and the address of its server.
var tested struct {
	program *program
	url     string
}

// The clients that the server knows.
const (
	adminID, adminSecret         = "sdk", "sesame-1"
	plainID, plainSecret         = "plain", "sesame-2" // has no user level
	busyID, busySecret           = "busy", "sesame-3"  // uses its requests up
	impatientID, impatientSecret = "impatient", "sesame-4"
)

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	p, err := newProgram()
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	if err := p.prepare(); err != nil {
		return 1, err
	}
	s, err := p.serve("--mail-log",
		"--dev-client", adminID+":"+adminSecret+":ORG_ADMIN",
		"--dev-client", plainID+":"+plainSecret+":",
		"--dev-client", busyID+":"+busySecret+":ORG_ADMIN",
		"--dev-client", impatientID+":"+impatientSecret+":ORG_ADMIN",
	)
	if err != nil {
		return 1, err
	}
	tested.program, tested.url = p, s.url
	code = m.Run()
	// A token's first letters are those of any JSON Web Token.
	err = errors.Join(s.stop(), s.demandLog("sesame", "eyJ", "@visitors.example"))
	if err != nil || code != 0 {
		return code, err
	}
	// The SDK asks for tokens with Go's own client.
	http.DefaultClient.CloseIdleConnections()
	return code, goleak.Find()
}
