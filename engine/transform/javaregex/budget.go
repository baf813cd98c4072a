package javaregex

import (
	"errors"
	"time"
)

// Budget is the time that regular expressions may take together, [BudgetMax]: that of searching, and of compiling the
// patterns that are only known then. The first search that is given up takes all that is left, so that nothing that
// goes on after its error can wait for another. The zero value is a whole one. It is not safe for concurrent use.
type Budget struct{ spent time.Duration }

// Compile is [Compile], within the budget.
func (b *Budget) Compile(pattern string) (compiled *Regexp, err error) {
	err = b.run(func(func() error) error {
		compiled, err = Compile(pattern)
		return err
	})
	return compiled, err
}

// run does work, which may ask meanwhile whether it is still within the budget.
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
