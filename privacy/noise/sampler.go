package noise

import "github.com/surefoot-ml/surefoot/privacy"

// Sampler draws batches and knows what they cost. The samplers of this package are the ones a Trainer can be trusted with.
type Sampler interface {
	// Draw returns the indices of the records in the next batch, increasing, in the memory of dst where it suffices.
	Draw(dst []int, src Source) []int
	// Period is the number of batches that one charge pays for, all released with the same noise multiplier: 1, or those of an epoch.
	Period() int
	// Left is how many batches of the running period are still to be drawn; 0 if the next one begins a period.
	Left() int
	// Cost is what g costs on the batches of a period. The sampler sets the relation it holds under.
	Cost(g privacy.Gaussian) privacy.Event
	// Expected is the public size of a batch to divide by.
	Expected() float64
}

// Period is 1: every batch is drawn anew.
func (p *PoissonSampler) Period() int { return 1 }

// Left is 0.
func (p *PoissonSampler) Left() int { return 0 }

// Cost is Event as an interface.
func (p *PoissonSampler) Cost(g privacy.Gaussian) privacy.Event { return p.Event(g) }

// Expected is the number of records times the rate.
func (p *PoissonSampler) Expected() float64 { return float64(p.n) * p.rate }
