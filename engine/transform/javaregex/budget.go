package javaregex

import (
	"errors"
	"time"
)

// Budget limits the time of several regular expressions together to [BudgetMax]. It counts searches, and compilations
// of patterns that are only known at run time. The first search that times out spends the rest, so a caller that goes
// on after its error cannot wait for another one. The zero value is an unspent budget. It is not safe for concurrent
// use.
type Budget struct{ spent time.Duration }

// Compile is [Compile], within the budget.
func (b *Budget) Compile(pattern string) (compiled *Regexp, err error) {
	err = b.run(func(func() error) error {
		compiled, err = Compile(pattern)
		return err
	})
	return compiled, err
}

// run does work, which can call within to ask whether it is still within the budget.
func (b *Budget) run(work func(within func() error) error) error {
	if b == nil {
		b = new(Budget)
	}
	if b.spent >= BudgetMax {
		return ErrBudget
	}
	begun := time.Now()
	err := work(func() error {
		if b.spent+time.Since(begun) >= BudgetMax {
			return ErrBudget
		}
		return nil
	})
	b.spent += time.Since(begun)
	if errors.Is(err, ErrTimeout) {
		b.spent = BudgetMax
	}
	return err
}
