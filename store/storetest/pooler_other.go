//go:build !linux

package storetest

import "errors"

func (*pooler) actAs(string) error { return errors.New("tests through a pooler need Linux") }
