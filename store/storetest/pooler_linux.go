package storetest

import (
	"os"
	"syscall"
)

// actAs lets the pooler run as the owner of a folder with the server's socket where this process is root, as which
// PgBouncer does not run. The pooler ends with this process.
func (p *pooler) actAs(folder string) error {
	attributes := &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p.process.SysProcAttr = attributes
	if os.Getuid() != 0 {
		return nil
	}
	info, err := os.Stat(folder)
	if err != nil {
		return err
	}
	owner := info.Sys().(*syscall.Stat_t)
	attributes.Credential = &syscall.Credential{Uid: owner.Uid, Gid: owner.Gid}
	entries, err := os.ReadDir(p.folder)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := os.Chown(p.folder+"/"+entry.Name(), int(owner.Uid), int(owner.Gid)); err != nil {
			return err
		}
	}
	return os.Chown(p.folder, int(owner.Uid), int(owner.Gid))
}
