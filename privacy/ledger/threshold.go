package ledger

import (
	"context"
	"slices"
)

// Crossing says that what is spent and reserved of an account first reached a threshold.
type Crossing struct {
	Account   string
	Threshold float64
	Used      float64 // part of the cap that is spent or reserved, when it was found
}

// crossing is a Crossing on its way.
type crossing struct {
	Crossing
	account int
}

// cross queues the thresholds that an account has reached and was not told of. The lock must be held.
func (l *Ledger) cross(account int) {
	if l.config.OnThreshold == nil {
		return
	}
	a, next := l.book.accounts[account], l.crossed[account]
	if next == len(l.config.Thresholds) || l.config.Thresholds[next] > a.level() {
		return
	}
	level := a.level()
	for ; next < len(l.config.Thresholds) && l.config.Thresholds[next] <= level; next++ {
		if t := l.config.Thresholds[next]; !slices.Contains(a.told, t) {
			l.told.Add(crossing{Crossing{a.Name, t, level}, account})
		}
	}
	l.crossed[account] = next
}

// deliver tells what is queued, outside the lock, and records each that was told. That record is not waited for: a crash before it
// is on stable storage makes the same be told again.
func (l *Ledger) deliver() {
	if l.config.OnThreshold == nil {
		return
	}
	l.told.Deliver(func(c crossing) {
		l.config.OnThreshold(c.Crossing)
		_, _ = l.change(context.Background(), func() error { // if this fails, so will the next charge
			return l.put(&record{kind: kindTold, index: c.account, threshold: c.Threshold})
		})
	})
}
