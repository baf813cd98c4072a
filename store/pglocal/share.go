package pglocal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// answerTimeout is the longest wait for the answer of a server that others use.
const answerTimeout = 5 * time.Second

// join uses the server that other processes run. If it died, it starts it again.
func (s *Server) join(ctx context.Context) (err error) {
	if s.runDir, err = s.folder.socketDir(); err != nil {
		return err
	}
	s.joined = true
	return s.reviveInGate(ctx)
}

// Revive starts a shared server again that died, for all that use it: its URL stays the same. It does nothing while the
// server answers. ctx limits it, and so does StartTimeout. The server of a temporary folder cannot be revived, because
// its data is not durable.
func (s *Server) Revive(ctx context.Context) (err error) {
	if !s.shared() {
		return fmt.Errorf("revive a server that is not shared: %w", errors.ErrUnsupported)
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	ctx, cancel := context.WithTimeout(ctx, s.config.StartTimeout)
	defer cancel()
	if err := s.folder.enter(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.folder.openGate()) }()
	return s.reviveInGate(ctx)
}

// reviveInGate makes sure that the server answers. This process must be in the gate.
func (s *Server) reviveInGate(ctx context.Context) error {
	answers, err := s.answers(ctx)
	if err != nil {
		return err
	}
	if !answers {
		pid, _, err := s.folder.lastServer()
		if err != nil {
			return err
		}
		if s.folder.runs(pid) {
			return fmt.Errorf("the server, process %d, runs and does not answer", pid)
		}
		if err := s.callOffLast(); err != nil {
			return err
		}
		if err := s.remakeRunDir(); err != nil {
			return err
		}
		s.config.Logger.InfoContext(ctx, "PostgreSQL had died and is started again", "folder", s.folder.path)
		return s.launchPatiently(ctx)
	}
	pid, _, err := s.folder.lastServer()
	if err != nil {
		return err
	}
	if pid == s.pid && s.life != nil {
		return nil
	}
	return s.adopt(pid)
}

// answers reports whether the server answers. It waits for one that is starting or recovering.
func (s *Server) answers(ctx context.Context) (bool, error) {
	for {
		once, cancel := context.WithTimeout(ctx, answerTimeout)
		err := s.greet(once)
		cancel()
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, errNoICU):
			return false, err
		case !startingOrStopping(err):
			return false, nil
		}
		select {
		case <-ctx.Done():
			return false, fmt.Errorf("the server does not answer: %w", err)
		case <-time.After(pollInterval):
		}
	}
}

// adopt makes the server's process the one that another process started, and holds its guardian.
func (s *Server) adopt(pid int) error {
	if s.child != nil && s.child.cmd.Process.Pid != pid {
		s.child = nil // it has ended, and another process has started the next one
	}
	end := s.closeLife
	if s.pid != pid {
		end = s.callOff // the guardian of the server that died
	}
	s.pid = pid
	if err := end(); err != nil {
		return err
	}
	return s.holdLife()
}

// holdLife holds the pipe that the guardian of the running server reads. Where the guardian is gone, there is nothing
// to hold: the last one that leaves ends the server all the same.
func (s *Server) holdLife() (err error) {
	s.life, err = openLife(s.folder.life())
	if errors.Is(err, errNoReader) || errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// callOffLast ends the guardian of the server that died. It would end the next one, and remove the folder of its
// socket.
func (s *Server) callOffLast() error {
	if s.life == nil {
		if err := s.holdLife(); err != nil {
			return err
		}
	}
	return s.callOff()
}

// leave enters the gate and reports whether no other process uses the server, which this one then has to end.
func (s *Server) leave(ctx context.Context) (last bool, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.config.StartTimeout)
	defer cancel()
	if err := s.folder.enter(ctx); err != nil {
		return false, err
	}
	last, err = s.folder.last()
	if err != nil || !last {
		return false, err
	}
	pid, _, err := s.folder.lastServer()
	if err == nil && pid > 0 && pid != s.pid {
		err = s.adopt(pid)
	}
	return true, err
}

// owns reports whether the folder of the socket is this process's to remove: it is not while others use the server.
func (s *Server) owns() bool {
	if !s.shared() || !s.joined && s.child == nil {
		return true
	}
	last, err := s.folder.last()
	return err == nil && last
}

// remakeRunDir makes the folder of the socket again if it is gone.
func (s *Server) remakeRunDir() error {
	err := os.Mkdir(s.runDir, 0o700)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.account.own(s.runDir)
}

// runs reports whether a process is the server of the folder. A process that has ended and that nobody has waited for
// is none: the server removes its record when it ends.
func (f *folder) runs(pid int) bool {
	recorded, _, err := f.lastServer()
	return err == nil && recorded == pid && pid > 0 && alive(pid)
}
