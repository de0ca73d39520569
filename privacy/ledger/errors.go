package ledger

import (
	"fmt"

	"github.com/surefoot-ml/surefoot/internal/journal"
	"github.com/surefoot-ml/surefoot/privacy"
)

var (
	// ErrInvalid is matched by the refusal of a parameter or an event; nothing was changed.
	ErrInvalid error = sentinel("ledger: invalid")
	// ErrExhausted is matched by every [*ExhaustedError].
	ErrExhausted error = sentinel("ledger: budget exhausted")
	// ErrMissing is returned by Open where there is no ledger and none is to be created, and by Verify where there is none.
	ErrMissing error = sentinel("ledger: there is no ledger")
	// ErrExists is returned by Open where a new ledger is to be created and there is one.
	ErrExists error = sentinel("ledger: there is a ledger already")
	// ErrUnknown is matched by the refusal of an account that was never created.
	ErrUnknown error = sentinel("ledger: unknown account")
	// ErrRetired is matched by the refusal of an account that takes no charges any more.
	ErrRetired error = sentinel("ledger: retired account")
	// ErrConflict is matched where an account exists with another definition, or a step was charged for something else.
	ErrConflict error = sentinel("ledger: conflict")
	// ErrFenced is matched by every refusal of a job that was opened again since: its reservations are spent.
	ErrFenced error = sentinel("ledger: job was opened again")
	// ErrExpired is matched where a reservation is past its time, and spent.
	ErrExpired error = sentinel("ledger: reservation expired")
	// ErrResolved is matched where a reservation was resolved in another way before.
	ErrResolved error = sentinel("ledger: reservation resolved")
	// ErrUsed is returned by a lease of which nothing is left, or which is closed.
	ErrUsed error = sentinel("ledger: lease used up or closed")
	// ErrForgotten is matched where a step is so far behind that it is not known whether it was charged.
	ErrForgotten error = sentinel("ledger: step too old")
	// ErrCorrupt is matched where an entry of the journal is legible and breaks a rule of the ledger.
	ErrCorrupt error = sentinel("ledger: corrupt")

	// ErrLocked is matched by the error of Open while another ledger, here or in another process, has the directory.
	ErrLocked = journal.ErrLocked
	// ErrDamaged is matched where entries that were on stable storage cannot be read.
	ErrDamaged = journal.ErrDamaged
	// ErrPoisoned is matched by everything after a write or a sync failed, until the ledger is opened again.
	ErrPoisoned = journal.ErrPoisoned
	// ErrClosed is returned after Close, and by a nil Ledger.
	ErrClosed error = sentinel("ledger: closed")
)

// sentinel is an error that another attempt will not change, and that says nothing about the health of a step.
type sentinel string

func (e sentinel) Error() string { return string(e) }

// Permanent tells a retrier that another attempt cannot succeed.
func (e sentinel) Permanent() bool { return true }

// Neutral tells a circuit breaker that this says nothing about the health of the step.
func (e sentinel) Neutral() bool { return true }

func refuse(cause error, format string, args ...any) error {
	return fmt.Errorf("%w: %s", cause, fmt.Sprintf(format, args...))
}

// ExhaustedError is the refusal of a charge that an account cannot bear. Nothing was charged to any account of the request. Requested,
// Spent, Reserved and Cap are amounts of Quantity, in nats but for a delta and a mu².
type ExhaustedError struct {
	Account   string
	Quantity  string  // "epsilon", "delta", "rho", "mu²" or "renyi"
	Order     float64 // of "renyi": the order that would have come closest
	Requested float64
	Spent     float64
	Reserved  float64 // by open reservations and leases
	Cap       float64
}

// Left is what the account can bear.
func (e *ExhaustedError) Left() float64 { return max(0, e.Cap-e.Spent-e.Reserved) }

// Error names the account, the amounts and the order.
func (e *ExhaustedError) Error() string {
	quantity := e.Quantity
	if e.Order > 0 {
		quantity = fmt.Sprintf("%s at order %.6g", quantity, e.Order)
	}
	return fmt.Sprintf("%v: account %q has %.6g of %.6g left in %s, %.6g requested (%.6g spent, %.6g reserved)",
		ErrExhausted, e.Account, e.Left(), e.Cap, quantity, e.Requested, e.Spent, e.Reserved)
}

// Is matches [ErrExhausted], and privacy.ErrExhausted: to a training loop they are the same end.
func (e *ExhaustedError) Is(target error) bool {
	return target == ErrExhausted || target == privacy.ErrExhausted
}

// Permanent tells a retrier that another attempt cannot succeed.
func (e *ExhaustedError) Permanent() bool { return true }

// Neutral tells a circuit breaker that this says nothing about the health of the step.
func (e *ExhaustedError) Neutral() bool { return true }
