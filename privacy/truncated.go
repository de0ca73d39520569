package privacy

import "math"

// TruncatedPoisson applies Gaussian to a batch that each record enters independently with probability Rate, of which a uniform subset of
// MaxBatch is kept where it is larger. A MaxBatch that is almost never exceeded costs next to nothing; one near the mean costs what
// fixed-size batches do. Rényi curves hardly tell a rare truncation from a frequent one: use [PLD] or [Best] with it.
type TruncatedPoisson struct {
	// Rate is the probability that a record enters the batch, exactly.
	Rate float64 `json:"rate"`
	// MaxBatch is the largest number of records in a batch.
	MaxBatch int `json:"max_batch"`
	// Records is the number of records, which must be public; under AddRemove that of the larger of the two data sets.
	Records  int      `json:"records"`
	Gaussian Gaussian `json:"gaussian"`
}

const maxRecords = 1 << 30

// Validate accepts a Rate from 0 to 1, Records from 1 to 2^30, a MaxBatch from 1 to Records, below Records where Rate is 1 under AddRemove,
// and a valid Gaussian.
func (p TruncatedPoisson) Validate() error {
	if !(p.Rate >= 0 && p.Rate <= 1) {
		return &InvalidError{"TruncatedPoisson.Rate", p.Rate, "a number from 0 to 1"}
	}
	if p.Records < 1 || p.Records > maxRecords {
		return &InvalidError{"TruncatedPoisson.Records", p.Records, "a whole number from 1 to 2^30"}
	}
	if p.MaxBatch < 1 || p.MaxBatch > p.Records {
		return &InvalidError{"TruncatedPoisson.MaxBatch", p.MaxBatch, "a whole number from 1 to Records"}
	}
	return p.Gaussian.Validate()
}

func (TruncatedPoisson) kind() string         { return "truncated_poisson" }
func (p TruncatedPoisson) relation() Relation { return p.Gaussian.Relation }

// lower: let n = Records, B = MaxBatch. The number N of the other records that are drawn does not depend on the record. Below B the batch
// is that of Poisson. Otherwise the record is in it with probability q·B/(N+1), and displaces one of a uniform subset of the others whatever
// N is, so that the probabilities may be averaged: with p = P(Binomial(n-1,q) >= B) and P(N=k)·q·B/(k+1) = P(Binomial(n,q) = k+1)·B/n
// they give B/n·P(Binomial(n,q) > B)/p, a batch of fixed size B with that share. By joint convexity every curve is at most the mean of
// the two (Ganesh 2025, arXiv 2508.15089), and a curve that does not decrease in the share may take a larger one.
func (p TruncatedPoisson) lower() []leaf {
	if p.Rate == 0 {
		return nil
	}
	if p.MaxBatch == p.Records {
		return Poisson{p.Rate, p.Gaussian}.lower()
	}
	if p.Rate == 1 {
		return FixedSize{p.MaxBatch, p.Records, p.Gaussian}.lower()
	}
	lo, hi, share := overflow(int64(p.Records)-1, p.Rate, int64(p.MaxBatch))
	inside := min(p.Rate, up(ratio(p.MaxBatch, p.Records)*(1-(1-p.Rate)*share+4*ulp), 8))
	sigma := p.Gaussian.doubled().Multiplier()
	plain := Poisson{p.Rate, p.Gaussian}.lower()[0].mechanism
	full := mechanism(replacedGaussian{max(inside, 1e-60), sigma})
	if p.Gaussian.Relation == AddRemove {
		full = sampledGaussian{max(inside, 1e-60), sigma}
	}
	return []leaf{{blended{plain, full, lo, hi, hi < 1e-15}, 1}}
}

// blended is plain with probability 1-p and full with probability p, p from lo to hi, or has curves that are at most such means. Where p is tiny
// (rare) its curve is that of plain, and the other case counts as an infinite loss: a curve would know nothing but the worst of both.
type blended struct {
	plain, full mechanism
	lo, hi      float64
	rare        bool
}

func (m blended) infinite() float64 {
	if m.rare {
		return m.hi
	}
	return 0
}

// logMoment: A-1 = a(a-1)∫t^(a-2)·(H_t - (1-t)_+)dt is linear in the curve.
func (m blended) logMoment(a float64) float64 {
	if m.rare {
		return m.plain.logMoment(a)
	}
	var sum scaled
	for _, part := range []struct{ k, weight float64 }{{m.plain.logMoment(a), 1 - m.lo}, {m.full.logMoment(a), m.hi}} {
		if part.k > 50 {
			sum.add(part.k, part.weight, part.k+8)
		} else if part.k > 0 {
			sum.add(0, part.weight*math.Expm1(part.k), 8)
		}
	}
	return sum.log1p(1, 0)
}
