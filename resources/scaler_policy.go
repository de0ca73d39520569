package resources

import "fmt"

// ScalerPolicy is how boldly a [Scaler] grows batches.
type ScalerPolicy uint8

const (
	// Balanced leaves 15 % of the memory free and grows by up to 30 % after 50 batches. It may try a size of which it
	// is not sure if that is the smallest possible step.
	Balanced ScalerPolicy = iota
	// Conservative leaves 20 % of the memory free, grows by up to 20 % after 100 batches, and only to a size that its upper
	// bound says will fit. With a large fixed part it needs to be told what is in use before the first batch.
	Conservative
	// Aggressive leaves 10 % of the memory free and grows by up to 50 % after 20 batches; else it is as Balanced.
	Aggressive
)

var scalerPolicies = [...]struct {
	name      string
	headroom  float64
	factor    float64
	growAfter int
	bold      bool // tries a smallest step that only the fitted line allows
}{
	{"balanced", 0.15, 1.3, 50, true},
	{"conservative", 0.20, 1.2, 100, false},
	{"aggressive", 0.10, 1.5, 20, true},
}

// String returns "balanced", "conservative" or "aggressive".
func (p ScalerPolicy) String() string {
	if int(p) < len(scalerPolicies) {
		return scalerPolicies[p].name
	}
	return fmt.Sprintf("policy %d", uint8(p))
}

// MarshalText returns the name, or an error if there is no such policy.
func (p ScalerPolicy) MarshalText() ([]byte, error) {
	if int(p) >= len(scalerPolicies) {
		return nil, fmt.Errorf("resources: ScalerPolicy %d is not below %d", uint8(p), len(scalerPolicies))
	}
	return []byte(p.String()), nil
}

// UnmarshalText sets the policy to the one of that name.
func (p *ScalerPolicy) UnmarshalText(text []byte) error {
	for i := range scalerPolicies {
		if string(text) == scalerPolicies[i].name {
			*p = ScalerPolicy(i)
			return nil
		}
	}
	return fmt.Errorf("resources: ScalerPolicy %.40q is none of balanced, conservative, aggressive", text)
}

// BatchReason is why the size of batches changes.
type BatchReason uint8

const (
	BatchGrown    BatchReason = iota + 1 // there is room for more
	BatchTight                           // the headroom is half used up, before anything failed
	BatchRanOut                          // a batch ran out of memory
	BatchFound                           // by Scaler.Find
	BatchResumed                         // what State says differs from Start
	BatchByDemand                        // Scaler.Shrink
)

var batchReasons = [...]string{"none", "grown", "tight", "ran out of memory", "found", "resumed", "by demand"}

// String names the reason.
func (r BatchReason) String() string {
	if int(r) < len(batchReasons) {
		return batchReasons[r]
	}
	return fmt.Sprintf("reason %d", uint8(r))
}

// MarshalText is String.
func (r BatchReason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }
