package main

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/muster-engine/muster/engine"
)

// allowed returns what sources may name, by the flags and the environment, or nil if neither says anything: then the
// operator's own documents may name everything, and others nothing.
func (a *app) allowed() (*engine.Allow, error) {
	allow := engine.Allow{}
	for _, list := range []struct {
		flag     []string
		variable string
		to       *[]string
	}{
		{a.allow.Secrets, "MUSTER_ALLOW_SECRETS", &allow.Secrets},
		{a.allow.Folders, "MUSTER_ALLOW_FOLDERS", &allow.Folders},
		{a.allow.Hosts, "MUSTER_ALLOW_HOSTS", &allow.Hosts},
	} {
		*list.to = list.flag
		if len(list.flag) > 0 {
			continue
		}
		for _, entry := range strings.Split(os.Getenv(list.variable), ",") {
			if entry = strings.TrimSpace(entry); entry != "" {
				*list.to = append(*list.to, entry)
			}
		}
	}
	if len(allow.Secrets)+len(allow.Folders)+len(allow.Hosts) == 0 {
		return nil, nil
	}
	for i, folder := range allow.Folders {
		path, err := filepath.Abs(folder)
		if err != nil {
			return nil, err
		}
		allow.Folders[i] = path
	}
	if err := allow.Validate(); err != nil {
		return nil, usage("what sources may name: %w", err)
	}
	return &allow, nil
}
