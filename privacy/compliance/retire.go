package compliance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Ledger is what this package needs of a privacy ledger.
type Ledger interface {
	// Account returns bounds on the epsilon that is spent or reserved, in nats, and on what may be, and the delta at which they hold.
	Account(ctx context.Context, name string) (spent, limit, delta float64, retired bool, err error)
	// Retire closes an account for good: nothing more can be charged, and what was spent stays spent. Retiring it again is no error.
	Retire(ctx context.Context, name, reason string) error
}

// RetireExpired retires the accounts of blocks that were deleted or whose retention has ended by now, and returns their names. An
// account that also has blocks which are neither stays open, and so does one of a block that has no end of retention. It goes on
// after an error, and returns all of them joined; calling it again does what is left.
func RetireExpired(ctx context.Context, ledger Ledger, datasets []Dataset, now time.Time) (retired []string, err error) {
	reasons := make(map[string]string) // by account; "" keeps it open
	var accounts []string
	for _, d := range datasets {
		for _, b := range d.Blocks {
			if b.Account == "" {
				continue
			}
			reason, known := reasons[b.Account]
			if !known {
				accounts = append(accounts, b.Account)
			}
			if why := b.over(now); why == "" || known && reason == "" {
				reasons[b.Account] = ""
			} else if !known {
				reasons[b.Account] = fmt.Sprintf("dataset %s, block %s: %s", quoted(d.Name), quoted(b.Name), why)
			}
		}
	}
	slices.Sort(accounts)
	var errs []error
	for _, name := range accounts {
		if reasons[name] == "" {
			continue
		}
		_, _, _, already, err := ledger.Account(ctx, name)
		if err == nil && !already {
			if err = ledger.Retire(ctx, name, reasons[name]); err == nil {
				retired = append(retired, name)
			}
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("compliance: account %s: %w", quoted(name), err))
		}
	}
	return retired, errors.Join(errs...)
}

// over says why a block may not be used any more, or returns "".
func (b Block) over(now time.Time) string {
	switch {
	case !b.Deleted.IsZero() && !b.Deleted.After(now):
		return "deleted at " + b.Deleted.UTC().Format(time.RFC3339)
	case !b.Retain.IsZero() && !now.Before(b.Retain):
		return "retention ended at " + b.Retain.UTC().Format(time.RFC3339)
	}
	return ""
}

// ReadAccounts reads the accounts of all blocks from the ledger, for Evidence.Accounts.
func ReadAccounts(ctx context.Context, ledger Ledger, datasets []Dataset) ([]Account, error) {
	seen := make(map[string]bool)
	out := []Account{}
	for _, d := range datasets {
		for _, b := range d.Blocks {
			if b.Account == "" || seen[b.Account] {
				continue
			}
			seen[b.Account] = true
			spent, limit, delta, retired, err := ledger.Account(ctx, b.Account)
			if err != nil {
				return nil, fmt.Errorf("compliance: account %s: %w", quoted(b.Account), err)
			}
			a := Account{Name: b.Account, Spent: spent, Limit: limit, Delta: delta, Retired: No}
			if retired {
				a.Retired = Yes
			}
			out = append(out, a)
		}
	}
	return out, nil
}
