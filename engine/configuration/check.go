package configuration

import (
	"errors"
	"fmt"
	"slices"
)

// Check returns what is wrong with the configuration although it compiles: what earlier versions took, and what cannot
// be meant as it is given. Such a configuration works as well as it can, but is not applied again. The error has a line
// for each fault. It is for package engine.
func (c *Configuration) Check() error {
	names := c.checkNames()
	faults := slices.Grow(slices.Clone(c.faults), len(names))
	for _, name := range names {
		faults = append(faults, errors.New(name))
	}
	return errors.Join(faults...)
}

// fault records what [Configuration.Check] returns.
func (c *Configuration) fault(format string, arguments ...any) {
	c.faults = append(c.faults, fmt.Errorf(format, arguments...))
}
