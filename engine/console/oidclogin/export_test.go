package oidclogin

import "time"

// ParseAttempt is parseAttempt, and returns what it derives.
func ParseAttempt(kept string, now time.Time, leeway time.Duration) (derived []string, err error) {
	a, err := parseAttempt(kept, now, leeway)
	if err != nil {
		return nil, err
	}
	return []string{a.state(), a.nonce(), a.verifier(), a.String()}, nil
}
