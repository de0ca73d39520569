package ledger

import (
	"fmt"
	"math"
	"math/big"
	"math/bits"
)

// Balances are whole numbers of units in an int64, so that sums are exact in any order and no charge is lost beside a large
// balance. A unit is 1e-12 nat, since one sampled step may cost 1e-8 at a low order, and of delta it is 1e-18, since a delta of 1e-9 is
// shared by thousands of charges. Costs are rounded up, caps down.
const (
	unitsPerNat   = 1_000_000_000_000
	unitsPerDelta = 1_000_000_000_000_000_000

	maxCap = 1 << 62 // units: 4.6 million nats, a delta of 4.6
	// Sums of which one that fits is enough may exceed their caps, so there is a second limit, of 4503 nats, that keeps what is reserved
	// from overflowing; a cap that is too low is a sound one.
	maxOrderCap = 1 << 52
	maxOpen     = 1 << 61 // reserved by new requests, at most; the journal may say somewhat more, see Reservation.Commit
)

// price is what one execution costs: whole units, and 2^-64ths of one. It is rounded up.
type price struct{ whole, part uint64 }

// float is about the price in units.
func (p price) float() float64 { return float64(p.whole) + float64(p.part)*0x1p-64 }

// priceOf converts a cost of at least 0; +Inf is more than any cap.
func priceOf(cost float64, perOne int64) (price, error) {
	switch {
	case math.IsNaN(cost) || cost < 0:
		return price{}, fmt.Errorf("%w: a cost of %v", ErrInvalid, cost)
	case cost >= 0x1p63: // times perOne is beyond 64 bits
		return price{math.MaxUint64, math.MaxUint64}, nil
	}
	parts := scaled(cost, perOne, 64, true)
	if parts.BitLen() > 128 {
		return price{math.MaxUint64, math.MaxUint64}, nil
	}
	low := new(big.Int).And(parts, new(big.Int).SetUint64(math.MaxUint64))
	return price{new(big.Int).Rsh(parts, 64).Uint64(), low.Uint64()}, nil
}

// scaled is x·perOne·2^shift, exact but for the last rounding.
func scaled(x float64, perOne int64, shift uint, up bool) *big.Int {
	r := new(big.Rat)
	r.SetFloat64(x)
	n := new(big.Int).Mul(r.Num(), big.NewInt(perOne))
	n.Lsh(n, shift)
	q, m := n.QuoRem(n, r.Denom(), new(big.Int))
	if up && m.Sign() > 0 {
		q.Add(q, big.NewInt(1))
	}
	return q
}

// capOf converts a limit, rounded down.
func capOf(limit float64, perOne int64) (int64, error) {
	if !(limit > 0 && limit <= math.MaxFloat64) {
		return 0, fmt.Errorf("%w: a cap of %v", ErrInvalid, limit)
	}
	v := scaled(limit, perOne, 0, false)
	if !v.IsInt64() || v.Int64() > maxCap {
		return 0, fmt.Errorf("%w: a cap of %v, the largest is %v", ErrInvalid, limit, float64(maxCap)/float64(perOne))
	}
	if v.Sign() == 0 {
		return 0, fmt.Errorf("%w: a cap of %v, the smallest is %v", ErrInvalid, limit, 1/float64(perOne))
	}
	return v.Int64(), nil
}

// times is what n executions cost in one request, rounded up once. It is false for more than fits 63 bits.
func (p price) times(n int64) (int64, bool) {
	carry, low := bits.Mul64(p.part, uint64(n))
	if low > 0 {
		carry++ // at most n
	}
	high, sum := bits.Mul64(p.whole, uint64(n))
	sum, over := bits.Add64(sum, carry, 0)
	if high > 0 || over > 0 || sum > math.MaxInt64 {
		return math.MaxInt64, false
	}
	return int64(sum), true
}

// share is what used of count executions cost of an amount that count of them cost, rounded up: amount >= count·c, hence
// amount·used/count >= used·c.
func share(amount, used, count int64) int64 {
	high, low := bits.Mul64(uint64(amount), uint64(used))
	q, r := bits.Div64(high, low, uint64(count)) // used <= count, so the quotient is at most amount
	if r > 0 {
		q++
	}
	return int64(q)
}

// add is a sum that stays at its largest value once it got there: only what is spent can.
func add(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
