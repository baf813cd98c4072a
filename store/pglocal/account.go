package pglocal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// account is the account that the server runs as. The nil account is that of this process.
type account struct {
	name     string
	uid, gid int
}

func (a *account) String() string {
	if a == nil {
		return "the user of this process"
	}
	return "the user " + a.name
}

// serverAccounts are the accounts for the server of a root process, the preferred one first.
var serverAccounts = []string{"postgres", "nobody"}

// serverAccount returns the account to run the server as. The owner of an existing data folder decides: the folder may
// be older than the account postgres.
func serverAccount(dataDir string) (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	var accounts []*account
	for _, name := range serverAccounts {
		a, err := lookup(name)
		if err != nil {
			return nil, err
		}
		if a != nil {
			accounts = append(accounts, a)
		}
	}
	if len(accounts) == 0 {
		return nil, fmt.Errorf("PostgreSQL does not run as root, and this machine has no user named %s",
			strings.Join(serverAccounts, " or "))
	}
	if dataDir == "" {
		return accounts[0], nil
	}
	owner, err := ownerOf(filepath.Join(dataDir, clusterName))
	if errors.Is(err, os.ErrNotExist) {
		return accounts[0], nil
	}
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(accounts, func(a *account) bool { return a.uid == owner })
	if i < 0 {
		return nil, fmt.Errorf("the data folder %s belongs to the user with uid %d: "+
			"run as that user, or choose another folder", dataDir, owner)
	}
	return accounts[i], nil
}

// lookup returns nil for a user that does not exist or is root under another name.
func lookup(name string) (*account, error) {
	u, err := user.Lookup(name)
	var unknown user.UnknownUserError
	if errors.As(err, &unknown) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look up the user %s: %w", name, err)
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return nil, fmt.Errorf("user %s: uid %w", name, err)
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return nil, fmt.Errorf("user %s: gid %w", name, err)
	}
	if uid == 0 {
		return nil, nil
	}
	return &account{name: name, uid: uid, gid: gid}, nil
}

// own makes the account the owner of a folder.
func (a *account) own(folder string) error {
	if a == nil {
		return nil
	}
	return os.Lchown(folder, a.uid, a.gid)
}

// reach returns an error with the folder on the way to path that the account cannot enter. Permission bits do not tell
// everything, because there are access control lists, so a process of the account tries.
func (a *account) reach(ctx context.Context, path string) error {
	if a == nil {
		return nil
	}
	var folders []string
	for folder := path; ; folder = filepath.Dir(folder) {
		folders = append(folders, folder)
		if folder == filepath.Dir(folder) {
			break
		}
	}
	slices.Reverse(folders)
	const script = `for folder; do [ -x "$folder" ] || { printf %s "$folder"; exit 1; }; done`
	cmd := a.command(ctx, "/bin/sh", append([]string{"-c", script, "sh"}, folders...)...)
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) && len(out) > 0 {
		return fmt.Errorf("%s, who runs the server, cannot enter %s: choose a folder elsewhere", a, out)
	}
	return err
}

// command returns a command that runs as the account. It has a session of its own, so that keys in the terminal do not
// reach it, and an environment that does not depend on the caller.
func (a *account) command(ctx context.Context, program string, arguments ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, arguments...)
	cmd.Dir = "/"
	cmd.Env = []string{"LC_ALL=C", "PATH=" + os.Getenv("PATH"), "TZ=UTC"}
	cmd.SysProcAttr = attributes(a)
	return cmd
}
