package retry

import (
	"context"
	"errors"
	"math"
	"sync/atomic"
)

// ErrBudget is matched by the error of a Do that made no further attempt because the [Budget] is spent. The error of the
// last attempt is found beside it.
var ErrBudget = errors.New("retry: the budget for retries is spent")

// Budget bounds retries over many calls: while most of them succeed every failure may be retried, and while most fail
// almost none is, so that retries do not multiply the load of something that is failing. It is the throttle of gRPC
// (proposal A6, "Throttling Retry Attempts and Hedged RPCs"): a failed attempt that could be retried takes a token, a
// successful one gives back a part of one, and above half of the tokens retries are allowed. With the default ratio they go
// on while less than one attempt in eleven fails. No clock fills it: between two steps of a training run any rate would have
// filled it up.
//
// Share one Budget between the policies and goroutines that use the same thing. [Policy.Do] tells it of successes; in a
// Runner put it into Attempt as well as into the Budget of Retry, or it will only be spent. Refusals, and what else is
// Neutral, take no token.
//
// The zero value is full and ready to use, a nil Budget allows everything. It is safe for concurrent use and must not be
// copied after first use.
type Budget struct {
	// Tokens is the most it holds, and what it holds at first. Default 10, at most a million. A failure takes its token
	// before it is asked whether there may be a retry, so 1 and 2 allow none.
	Tokens int
	// Ratio is what a success gives back, in tokens, to three decimals. Default 0.1.
	Ratio float64

	spent atomic.Int64 // thousandths of a token
}

const thousand = 1000

func (b *Budget) most() int64 {
	if b.Tokens <= 0 {
		return 10 * thousand
	}
	return min(int64(b.Tokens), 1e6) * thousand
}

// Left returns how many tokens are left; a nil Budget has no end of them. Retries are allowed above half of Tokens.
func (b *Budget) Left() float64 {
	if b == nil {
		return math.Inf(1)
	}
	return float64(b.most()-b.spent.Load()) / thousand
}

// allows reports whether there may be a retry.
func (b *Budget) allows() bool {
	return b == nil || b.spent.Load() < (b.most()+1)/2
}

// failed takes a token for an attempt that failed with err.
func (b *Budget) failed(err error) {
	if b == nil || neutral(err) {
		return
	}
	for most := b.most(); ; {
		spent := b.spent.Load()
		if b.spent.CompareAndSwap(spent, min(spent+thousand, most)) {
			return
		}
	}
}

// Admit admits every attempt: the budget is for retries, and Next asks it.
func (b *Budget) Admit(context.Context) (token uint64, err error) { return 0, nil }

// Done gives back a part of a token after a success. Failures are counted by Next.
func (b *Budget) Done(_ uint64, err error) {
	if b == nil || err != nil {
		return
	}
	spent := b.spent.Load()
	for spent > 0 {
		back := int64(100)
		if b.Ratio > 0 {
			back = int64(max(1, math.Round(min(b.Ratio, 1e6)*thousand)))
		}
		if b.spent.CompareAndSwap(spent, max(0, spent-back)) {
			return
		}
		spent = b.spent.Load()
	}
}
