package validate

import (
	"math"
	"strconv"
	"time"
)

// Privacy is the configuration of differentially private training. Every field is checked as it stands, Examples apart:
// there is no default among them, and a zero is an error. Fill in a calibrated NoiseMultiplier before the check.
type Privacy struct {
	Epsilon         float64 // the budget, in [0.001, 100]
	Delta           float64 // in [1e-10, 0.1]
	Clip            float64 // L2 norm to which a gradient is clipped, in [1e-6, 100]
	NoiseMultiplier float64 // standard deviation of the noise over Clip, in [0.01, 10]
	SamplingRate    float64 // share of the examples in an expected batch, in (0, 1]
	Examples        int     // in the training set; 0 if not known, which leaves Delta uncompared
}

// Check adds the problems of p to c. Warnings concern guarantees that say little: an epsilon above 10, a delta above 1e-3,
// a delta above 1e-4 with an epsilon below 1, and a delta above 1/Examples, with which publishing one random example in
// full would be private. An epsilon below 0.1 is a warning because training hardly succeeds with it.
func (p Privacy) Check(c *Check) {
	c.Range("epsilon", p.Epsilon, 0.001, 100)
	c.Range("delta", p.Delta, 1e-10, 0.1)
	c.Range("clip", p.Clip, 1e-6, 100)
	if p.NoiseMultiplier == 0 {
		c.Add(Problem{Path: "noise_multiplier", Code: CodeNoNoise, Value: "0",
			Limit: "in [0.01, 10]: without noise there is no privacy"})
	} else {
		c.Range("noise_multiplier", p.NoiseMultiplier, 0.01, 10)
	}
	c.Fraction("sampling_rate", p.SamplingRate)
	c.RangeInt("examples", p.Examples, 0, math.MaxInt)

	weak := func(bad bool, path string, v float64, limit string) {
		if bad {
			c.Warn().Add(Problem{Path: path, Code: CodeWeak, Value: number(v), Limit: limit})
		}
	}
	weak(p.Epsilon > 10, "epsilon", p.Epsilon, "at most 10: above it the guarantee says little")
	if p.Epsilon < 0.1 {
		c.Warn().Range("epsilon", p.Epsilon, 0.1, 10)
	}
	weak(p.Delta > 1e-3, "delta", p.Delta, "at most 0.001")
	weak(p.Delta > 1e-4 && p.Delta <= 1e-3 && p.Epsilon < 1, "delta", p.Delta, "at most 0.0001 with an epsilon below 1")
	if p.Examples > 0 {
		weak(p.Delta > 1/float64(p.Examples), "delta", p.Delta, "at most 1/examples (1/"+strconv.Itoa(p.Examples)+")")
	}
}

// Training is the configuration of a training loop. Every field is checked as it stands, but for those that say otherwise.
type Training struct {
	Epochs       int     // in [1, 10000]
	BatchSize    int     // in [1, 10000]
	LearningRate float64 // in [1e-8, 1]
	WeightDecay  float64 // in [0, 1]
	WarmupSteps  int     // in [0, 10000]
	MaxGradNorm  float64 // norm to which the gradient of a batch is clipped, in [0.1, 100]; 0 for no clipping
	Examples     int     // in the training set; 0 if not known
}

// Check adds the problems of t to c. A batch larger than the training set is a warning.
func (t Training) Check(c *Check) {
	c.RangeInt("epochs", t.Epochs, 1, 10000)
	c.RangeInt("batch_size", t.BatchSize, 1, 10000)
	c.Range("learning_rate", t.LearningRate, 1e-8, 1)
	c.Range("weight_decay", t.WeightDecay, 0, 1)
	c.RangeInt("warmup_steps", t.WarmupSteps, 0, 10000)
	if t.MaxGradNorm != 0 {
		c.Range("max_grad_norm", t.MaxGradNorm, 0.1, 100)
	}
	c.RangeInt("examples", t.Examples, 0, math.MaxInt)
	if t.Examples > 0 {
		c.Warn().AtMost("batch_size", float64(t.BatchSize), "examples", float64(t.Examples))
	}
}

// Carbon is the configuration of carbon-aware pauses. Every field is checked as it stands. Intensities are in gCO2e/kWh.
type Carbon struct {
	Zone     string        // see Check.Zone
	Pause    float64       // intensity at which a run pauses, in [0, 2000]
	Resume   float64       // intensity at which it resumes, in [0, Pause]
	Interval time.Duration // between two looks at the intensity, in [1s, 24h]
	MaxPause time.Duration // after which a run resumes at any intensity, in [1s, 168h]
}

// Check adds the problems of k to c. A Resume equal to Pause is a warning: the run would pause and resume with every
// wobble of the intensity.
func (k Carbon) Check(c *Check) {
	c.Zone("zone", k.Zone)
	c.Range("pause", k.Pause, 0, 2000)
	c.Range("resume", k.Resume, 0, 2000)
	c.AtMost("resume", k.Resume, "pause", k.Pause)
	c.Warn().Below("resume", k.Resume, "pause", k.Pause)
	c.RangeDuration("interval", k.Interval, time.Second, 24*time.Hour)
	c.RangeDuration("max_pause", k.MaxPause, time.Second, 168*time.Hour)
}
