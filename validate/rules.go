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

// PrivacyRules returns the rules of [Privacy.Check], to be used many times or as a part of other rules.
func PrivacyRules() *Rules[Privacy] {
	weak := func(path string, bad func(p *Privacy) bool, v func(p *Privacy) float64, limit string) Field[Privacy] {
		return Own[Privacy]{OK: func(p *Privacy) bool { return !bad(p) }, Problem: func(p *Privacy) Problem {
			return Problem{Path: path, Code: CodeWeak, Value: number(v(p)), Limit: limit, Severity: Warning}
		}}
	}
	epsilon := func(p *Privacy) float64 { return p.Epsilon }
	delta := func(p *Privacy) float64 { return p.Delta }
	noisy := func(p *Privacy) bool { return p.NoiseMultiplier != 0 }
	return rulesOf([]Field[Privacy]{
		Float[Privacy]{Name: "epsilon", Get: epsilon, Min: 0.001, Max: 100, Doc: "the privacy budget"},
		Float[Privacy]{Name: "delta", Get: delta, Min: 1e-10, Max: 0.1},
		Float[Privacy]{Name: "clip", Get: func(p *Privacy) float64 { return p.Clip }, Min: 1e-6, Max: 100,
			Doc: "L2 norm to which a gradient is clipped"},
		Float[Privacy]{Name: "noise_multiplier", Get: func(p *Privacy) float64 { return p.NoiseMultiplier },
			Presence: Presence[Privacy]{Has: noisy}, Min: 0.01, Max: 10, Doc: "standard deviation of the noise over clip"},
		Own[Privacy]{OK: noisy, Problem: func(*Privacy) Problem {
			return Problem{Path: "noise_multiplier", Code: CodeNoNoise, Value: "0",
				Limit: "in [0.01, 10]: without noise there is no privacy"}
		}},
		Float[Privacy]{Name: "sampling_rate", Get: func(p *Privacy) float64 { return p.SamplingRate }, Max: 1, Above: true},
		Int[Privacy]{Name: "examples", Get: func(p *Privacy) int { return p.Examples }, Max: math.MaxInt},
		weak("epsilon", func(p *Privacy) bool { return p.Epsilon > 10 }, epsilon, "at most 10: above it the guarantee says little"),
		Own[Privacy]{OK: func(p *Privacy) bool { return !(p.Epsilon < 0.1) }, Problem: func(p *Privacy) Problem {
			return Problem{Path: "epsilon", Code: CodeRange, Value: number(p.Epsilon), Limit: "in [0.1, 10]", Severity: Warning}
		}},
		weak("delta", func(p *Privacy) bool { return p.Delta > 1e-3 }, delta, "at most 0.001"),
		weak("delta", func(p *Privacy) bool { return p.Delta > 1e-4 && p.Delta <= 1e-3 && p.Epsilon < 1 }, delta,
			"at most 0.0001 with an epsilon below 1"),
		Own[Privacy]{
			OK: func(p *Privacy) bool { return p.Examples <= 0 || !(p.Delta > 1/float64(p.Examples)) },
			Problem: func(p *Privacy) Problem {
				return Problem{Path: "delta", Code: CodeWeak, Value: number(p.Delta),
					Limit: "at most 1/examples (1/" + strconv.Itoa(p.Examples) + ")", Severity: Warning}
			},
		},
	}...)
}

// Check adds the problems of p to c. Warnings concern guarantees that say little: an epsilon above 10, a delta above 1e-3,
// a delta above 1e-4 with an epsilon below 1, and a delta above 1/Examples, with which publishing one random example in
// full would be private. An epsilon below 0.1 is a warning because training hardly succeeds with it.
func (p Privacy) Check(c *Check) { PrivacyRules().Check(c, &p) }

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

// TrainingRules returns the rules of [Training.Check].
func TrainingRules() *Rules[Training] {
	return rulesOf([]Field[Training]{
		Int[Training]{Name: "epochs", Get: func(t *Training) int { return t.Epochs }, Min: 1, Max: 10000},
		Int[Training]{Name: "batch_size", Get: func(t *Training) int { return t.BatchSize }, Min: 1, Max: 10000},
		Float[Training]{Name: "learning_rate", Get: func(t *Training) float64 { return t.LearningRate }, Min: 1e-8, Max: 1},
		Float[Training]{Name: "weight_decay", Get: func(t *Training) float64 { return t.WeightDecay }, Max: 1},
		Int[Training]{Name: "warmup_steps", Get: func(t *Training) int { return t.WarmupSteps }, Max: 10000},
		Float[Training]{Name: "max_grad_norm", Get: func(t *Training) float64 { return t.MaxGradNorm },
			Presence: Presence[Training]{Has: func(t *Training) bool { return t.MaxGradNorm != 0 }}, Min: 0.1, Max: 100},
		Int[Training]{Name: "examples", Get: func(t *Training) int { return t.Examples }, Max: math.MaxInt},
		Own[Training]{
			OK: func(t *Training) bool { return t.Examples <= 0 || t.BatchSize <= t.Examples },
			Problem: func(t *Training) Problem {
				return Problem{Path: "batch_size", Code: CodeOrder, Value: strconv.Itoa(t.BatchSize),
					Limit: "at most examples (" + strconv.Itoa(t.Examples) + ")", Severity: Warning}
			},
		},
	}...)
}

// Check adds the problems of t to c. A batch larger than the training set is a warning.
func (t Training) Check(c *Check) { TrainingRules().Check(c, &t) }

// Carbon is the configuration of carbon-aware pauses. Every field is checked as it stands. Intensities are in gCO2e/kWh.
type Carbon struct {
	Zone     string        // see Check.Zone
	Pause    float64       // intensity at which a run pauses, in [0, 2000]
	Resume   float64       // intensity at which it resumes, in [0, Pause]
	Interval time.Duration // between two looks at the intensity, in [1s, 24h]
	MaxPause time.Duration // after which a run resumes at any intensity, in [1s, 168h]
}

// CarbonRules returns the rules of [Carbon.Check].
func CarbonRules() *Rules[Carbon] {
	order := func(ok func(k *Carbon) bool, word string, severity Severity) Field[Carbon] {
		return Own[Carbon]{OK: ok, Problem: func(k *Carbon) Problem {
			return Problem{Path: "resume", Code: CodeOrder, Value: number(k.Resume),
				Limit: word + " pause (" + number(k.Pause) + ")", Severity: severity}
		}}
	}
	return rulesOf([]Field[Carbon]{
		String[Carbon]{Name: "zone", Get: func(k *Carbon) string { return k.Zone }, Kind: ZoneText},
		Float[Carbon]{Name: "pause", Get: func(k *Carbon) float64 { return k.Pause }, Max: 2000, Doc: "gCO2e/kWh"},
		Float[Carbon]{Name: "resume", Get: func(k *Carbon) float64 { return k.Resume }, Max: 2000, Doc: "gCO2e/kWh"},
		order(func(k *Carbon) bool { return k.Resume <= k.Pause && isFinite(k.Pause) && isFinite(k.Resume) }, "at most", Error),
		order(func(k *Carbon) bool { return k.Resume < k.Pause }, "below", Warning),
		Duration[Carbon]{Name: "interval", Get: func(k *Carbon) time.Duration { return k.Interval }, Min: time.Second, Max: 24 * time.Hour},
		Duration[Carbon]{Name: "max_pause", Get: func(k *Carbon) time.Duration { return k.MaxPause }, Min: time.Second, Max: 168 * time.Hour},
	}...)
}

// Check adds the problems of k to c. A Resume equal to Pause is a warning: the run would pause and resume with every
// wobble of the intensity.
func (k Carbon) Check(c *Check) { CarbonRules().Check(c, &k) }

// Monitor is the configuration of health checks and alerts. Every field is checked as it stands.
type Monitor struct {
	Interval     time.Duration // between two looks, in [1s, 24h]
	CPU          float64       // percent at which to alert, in (0, 100]
	Memory       float64       // percent
	Disk         float64       // percent
	ErrorRate    float64       // share of the requests at which to alert, in (0, 1]
	ResponseTime time.Duration // at which to alert, in [1ms, 300s]
	Timeout      time.Duration // of one look, in [1s, 300s]
	Retries      int           // of a look that failed, in [0, 10]
	Intensity    float64       // gCO2e/kWh at which to alert, in [0, 2000]; 0 for no alert
}

// MonitorRules returns the rules of [Monitor.Check].
func MonitorRules() *Rules[Monitor] {
	percent := func(name string, get func(m *Monitor) float64) Field[Monitor] {
		return Float[Monitor]{Name: name, Get: get, Max: 100, Above: true, Usual: Usual{Min: 50, Max: 99}, Doc: "percent"}
	}
	return rulesOf([]Field[Monitor]{
		Duration[Monitor]{Name: "interval", Get: func(m *Monitor) time.Duration { return m.Interval }, Min: time.Second, Max: 24 * time.Hour},
		percent("cpu", func(m *Monitor) float64 { return m.CPU }),
		percent("memory", func(m *Monitor) float64 { return m.Memory }),
		percent("disk", func(m *Monitor) float64 { return m.Disk }),
		Float[Monitor]{Name: "error_rate", Get: func(m *Monitor) float64 { return m.ErrorRate }, Max: 1, Above: true,
			Doc: "share of the requests, not percent"},
		Duration[Monitor]{Name: "response_time", Get: func(m *Monitor) time.Duration { return m.ResponseTime },
			Min: time.Millisecond, Max: 300 * time.Second},
		Duration[Monitor]{Name: "timeout", Get: func(m *Monitor) time.Duration { return m.Timeout }, Min: time.Second, Max: 300 * time.Second},
		Int[Monitor]{Name: "retries", Get: func(m *Monitor) int { return m.Retries }, Max: 10},
		Float[Monitor]{Name: "intensity", Get: func(m *Monitor) float64 { return m.Intensity }, Max: 2000, Doc: "gCO2e/kWh"},
		Own[Monitor]{
			OK: func(m *Monitor) bool { return m.Timeout <= m.Interval },
			Problem: func(m *Monitor) Problem {
				return Problem{Path: "timeout", Code: CodeOrder, Value: m.Timeout.String(),
					Limit: "at most interval (" + m.Interval.String() + ")", Severity: Warning}
			},
		},
	}...)
}

// Check adds the problems of m to c. Warnings concern alerts that would never end (below 50 percent) or come too late (above
// 99), and a look that may last longer than the time to the next.
func (m Monitor) Check(c *Check) { MonitorRules().Check(c, &m) }
