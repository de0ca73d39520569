package ledger

import (
	"context"
	"fmt"
	"math"
	"slices"
	"unicode"
	"unicode/utf8"

	"github.com/surefoot-ml/surefoot/privacy"
)

const (
	maxName   = 200
	maxOrders = 64
)

// Account is a budget of its own: that of a data set, of a partition of one, of a window of time. A record that is in several accounts
// is protected by each of them; a charge names all accounts whose data it reads.
type Account struct {
	// Name is up to 200 bytes of printable text. It is kept for ever, so it must not tell anything about a person.
	Name string `json:"name"`
	// Measure is what is added up.
	Measure Measure `json:"measure"`
	// Relation says which data sets are compared; events under another relation are refused.
	Relation privacy.Relation `json:"relation"`
	// Unit says what a record is: "example", "user", "user and day". A request takes accounts of one unit only. It may be empty.
	Unit string `json:"unit,omitempty"`
	// Epsilon is the cap, in nats, up to 4.6 million. Costs are rounded up and caps down, so a cap of 1 bears nine charges of 0.1 and not
	// ten: the tenth would exceed it by the rounding of 0.1 to a float64.
	Epsilon float64 `json:"epsilon"`
	// Delta is the cap in delta, 0 for Pure.
	Delta float64 `json:"delta,omitempty"`
	// Orders are 1 to 64 orders above 1, for Renyi alone. One order costs nothing; a list costs log(length) / (order-1) nats at each.
	Orders []float64 `json:"orders,omitempty"`
}

// normal is the account as it is kept: valid, with its orders sorted.
func (a Account) normal() (Account, error) {
	if err := checkText("Account.Name", a.Name, 1); err != nil {
		return a, err
	}
	if err := checkText("Account.Unit", a.Unit, 0); err != nil {
		return a, err
	}
	if _, err := a.Relation.MarshalText(); err != nil {
		return a, fmt.Errorf("%w: Account.Relation: %w", ErrInvalid, err)
	}
	if !a.Measure.valid() {
		return a, fmt.Errorf("%w: Account.Measure = %v", ErrInvalid, a.Measure)
	}
	if a.Measure == Pure {
		if a.Delta != 0 {
			return a, fmt.Errorf("%w: Account.Delta = %v, want 0 for %v", ErrInvalid, a.Delta, a.Measure)
		}
		a.Delta = 0 // not -0
		if !(a.Epsilon > 0 && a.Epsilon <= math.MaxFloat64) {
			return a, fmt.Errorf("%w: Account.Epsilon = %v, want a number above 0", ErrInvalid, a.Epsilon)
		}
	} else if err := a.budget().Validate(); err != nil {
		return a, fmt.Errorf("%w: Account %q: %w", ErrInvalid, a.Name, err)
	}
	if a.Measure != Renyi {
		if len(a.Orders) > 0 {
			return a, fmt.Errorf("%w: Account.Orders = %v, want none for %v", ErrInvalid, a.Orders, a.Measure)
		}
		a.Orders = nil
		return a, nil
	}
	if n := len(a.Orders); n < 1 || n > maxOrders {
		return a, fmt.Errorf("%w: %d Account.Orders, want 1 to %d", ErrInvalid, n, maxOrders)
	}
	a.Orders = slices.Clone(a.Orders)
	slices.Sort(a.Orders)
	a.Orders = slices.Compact(a.Orders)
	for _, order := range a.Orders {
		if _, err := privacy.RenyiMeasure(order); err != nil {
			return a, fmt.Errorf("%w: Account.Orders: %w", ErrInvalid, err)
		}
	}
	return a, nil
}

func (a Account) budget() privacy.Budget { return privacy.Budget{Epsilon: a.Epsilon, Delta: a.Delta} }

func (a Account) equal(b Account) bool {
	return a.Name == b.Name && a.Measure == b.Measure && a.Relation == b.Relation && a.Unit == b.Unit &&
		a.Epsilon == b.Epsilon && a.Delta == b.Delta && slices.Equal(a.Orders, b.Orders)
}

func checkText(field, s string, least int) error {
	if len(s) < least || len(s) > maxName || !utf8.ValidString(s) {
		return fmt.Errorf("%w: %s of %d bytes, want %d to %d bytes of text", ErrInvalid, field, len(s), least, maxName)
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return fmt.Errorf("%w: %s %q is not printable", ErrInvalid, field, s)
		}
	}
	return nil
}

// CreateAccount creates an account, durably. It does nothing if there is one with the same definition, also if it is retired by now, and
// fails with [ErrConflict] if there is one with another: a cap cannot be changed.
func (l *Ledger) CreateAccount(ctx context.Context, a Account) error {
	a, err := a.normal()
	if err != nil {
		return err
	}
	counted, caps, err := a.Measure.caps(a.budget(), a.Orders)
	if err != nil {
		return err
	}
	return l.changed(ctx, func() error {
		if i, ok := l.book.accountNames[a.Name]; ok {
			if have := l.book.accounts[i].Account; !have.equal(a) {
				return refuse(ErrConflict, "account %q is %+v, not %+v", a.Name, have, a)
			}
			return nil
		}
		return l.put(&record{kind: kindAccount, account: accountRecord{a, counted, caps}})
	})
}

// Retire ends an account, durably: at the end of a retention period, or when the data was erased. It takes no charges any more; leases go
// on with what they hold until they are closed. Open reservations may still be resolved, nothing is refunded, and what was spent remains on record.
func (l *Ledger) Retire(ctx context.Context, account string) error {
	return l.changed(ctx, func() error {
		i, err := l.known.Load().find(account)
		if err != nil || l.book.accounts[i].retired {
			return err
		}
		return l.put(&record{kind: kindRetire, index: i})
	})
}
