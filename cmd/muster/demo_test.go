package main

import "testing"

func TestDemo(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	s := newShell(t)
	s.run(exitOK, "", "migrate", "up")
	out, _ := s.run(exitOK, "", "demo", "--people", "60")
	demand(t, out, "SUCCESS, 100 %: Completed", "Why: muster explain", "Engineering: ", "60 of them correlated",
		// Somebody joins, moves, leaves, and is renamed.
		"   * 900001,Amara Okafor,amara.okafor@example.com,active,minutes;strategy\n",
		"   * 100003,Hélène Lefèvre,helene.lefevre@example.com,active,advice\n",
		"   * 100004,María José García Márquez,mariajose.garciamarquez@example.com,locked,minutes;strategy\n",
		"   * 100002,Jürgen Öztürk-Strauß,oeztuerk@example.com,active,minutes;strategy\n",
		"     auditor,External auditor,audit@example.org,active,minutes\n")
	_, errOut := s.run(exitFailed, "", "demo", "--people", "60")
	demand(t, errOut, "there is a company in the schema muster already: remove it")
	_, errOut = s.run(exitUsage, "", "token", "--authority", "NOPE")
	demand(t, errOut, `--authority: "NOPE" is no user level`)
}
