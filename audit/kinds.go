package audit

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"
)

// Step is the data of an attempt of a step. Times are in nanoseconds.
type Step struct {
	Batch   uint64        `json:"batch"`
	Attempt int           `json:"attempt"`
	Wait    time.Duration `json:"wait_ns"`
	Run     time.Duration `json:"run_ns"`
	Error   string        `json:"error,omitempty"`
}

func (Step) kind() Kind { return KindStep }

// appendJSON writes canonical JSON: the members are in its order, and integers beyond ±2^53 are no attempts or times that
// a run has.
func (s *Step) appendJSON(dst []byte) []byte {
	dst = strconv.AppendInt(append(dst, `{"attempt":`...), int64(s.Attempt), 10)
	dst = strconv.AppendUint(append(dst, `,"batch":`...), s.Batch, 10)
	if s.Error != "" {
		dst = appendString(append(dst, `,"error":`...), s.Error)
	}
	dst = strconv.AppendInt(append(dst, `,"run_ns":`...), int64(s.Run), 10)
	dst = strconv.AppendInt(append(dst, `,"wait_ns":`...), int64(s.Wait), 10)
	return append(dst, '}')
}

func (s *Step) exact() bool {
	return s != nil && s.Batch <= 1<<53 && within(int64(s.Attempt), int64(s.Run), int64(s.Wait))
}

func (b *Batch) exact() bool {
	return b != nil && b.Batch <= 1<<53 && within(int64(b.Attempts), int64(b.Run), int64(b.Wait))
}

func within(list ...int64) bool {
	for _, v := range list {
		if v > 1<<53 || v < -1<<53 {
			return false
		}
	}
	return true
}

// Batch is the data of a batch that ended. Times are in nanoseconds.
type Batch struct {
	Batch    uint64        `json:"batch"`
	Attempts int           `json:"attempts"`
	Wait     time.Duration `json:"wait_ns"`
	Run      time.Duration `json:"run_ns"`
	Error    string        `json:"error,omitempty"`
}

func (Batch) kind() Kind { return KindBatch }

func (b *Batch) appendJSON(dst []byte) []byte {
	dst = strconv.AppendInt(append(dst, `{"attempts":`...), int64(b.Attempts), 10)
	dst = strconv.AppendUint(append(dst, `,"batch":`...), b.Batch, 10)
	if b.Error != "" {
		dst = appendString(append(dst, `,"error":`...), b.Error)
	}
	dst = strconv.AppendInt(append(dst, `,"run_ns":`...), int64(b.Run), 10)
	dst = strconv.AppendInt(append(dst, `,"wait_ns":`...), int64(b.Wait), 10)
	return append(dst, '}')
}

// Charge is the data of an event of the privacy accountant.
type Charge struct {
	Mechanism json.RawMessage `json:"mechanism,omitempty"` // the accountant's own encoding of what was charged
	Count     int             `json:"count"`               // how often
	Epsilon   Float           `json:"epsilon"`             // spent in all so far, an upper bound
	Delta     Float           `json:"delta"`               // at which Epsilon holds
}

func (Charge) kind() Kind { return KindCharge }

// Refusal is the data of a step that a policy did not let run.
type Refusal struct {
	Policy string `json:"policy"` // such as "budget" or "breaker"
	Batch  uint64 `json:"batch,omitempty"`
	Error  string `json:"error"`
}

func (Refusal) kind() Kind { return KindRefusal }

// BreakerChange is the data of a circuit breaker that changed its state.
type BreakerChange struct {
	Name   string `json:"name"`
	From   string `json:"from"`
	To     string `json:"to"`
	Reason string `json:"reason,omitempty"`
}

func (BreakerChange) kind() Kind { return KindBreaker }

// CarbonInterval is the data of a time in which a run used energy, or did not.
type CarbonInterval struct {
	Zone      string    `json:"zone"`
	Start     time.Time `json:"start"`
	End       time.Time `json:"end"`
	Intensity Float     `json:"g_per_kwh"` // grams of CO2 equivalent per kWh
	Energy    Float     `json:"kwh"`
	Paused    bool      `json:"paused"`
	Source    string    `json:"source,omitempty"`
}

func (CarbonInterval) kind() Kind { return KindCarbon }

// ModelCheckpoint is the data of a model that was saved or restored.
type ModelCheckpoint struct {
	Step     uint64 `json:"step"`
	Path     string `json:"path,omitempty"`
	SHA256   string `json:"sha256,omitempty"` // of the file, in hexadecimal
	Restored bool   `json:"restored,omitempty"`
}

func (ModelCheckpoint) kind() Kind { return KindCheckpoint }

// ConfigChange is the data of a setting that was changed. Secrets do not belong here.
type ConfigChange struct {
	Name   string `json:"name"`
	Old    any    `json:"old,omitempty"`
	New    any    `json:"new"`
	Source string `json:"source,omitempty"` // file, environment, a person
}

func (ConfigChange) kind() Kind { return KindConfig }

// Security is the data of a threat that was met, or of an access.
type Security struct {
	Threat  string `json:"threat"`
	Subject string `json:"subject,omitempty"` // whom or what it came from
	Action  string `json:"action"`            // what was done about it
	Detail  string `json:"detail,omitempty"`
}

func (Security) kind() Kind { return KindSecurity }

// Compliance is the data of a verdict on a rule.
type Compliance struct {
	Rule     string `json:"rule"`    // such as "GDPR Art. 32"
	Verdict  string `json:"verdict"` // such as "PASS", "FAIL", "UNKNOWN" or "MANUAL"
	Evidence string `json:"evidence,omitempty"`
}

func (Compliance) kind() Kind { return KindCompliance }

// Float is a number in an event's data that may be NaN or infinite, as a loss may: it is stored as the string "NaN",
// "+Inf" or "-Inf" then, and as a JSON number otherwise.
type Float float64

// MarshalJSON implements json.Marshaler.
func (f Float) MarshalJSON() ([]byte, error) {
	switch v := float64(f); {
	case math.IsNaN(v):
		return []byte(`"NaN"`), nil
	case math.IsInf(v, 1):
		return []byte(`"+Inf"`), nil
	case math.IsInf(v, -1):
		return []byte(`"-Inf"`), nil
	default:
		return json.Marshal(v)
	}
}

// UnmarshalJSON implements json.Unmarshaler.
func (f *Float) UnmarshalJSON(data []byte) error {
	switch string(data) {
	case "null":
		return nil
	case `"NaN"`:
		*f = Float(math.NaN())
	case `"+Inf"`:
		*f = Float(math.Inf(1))
	case `"-Inf"`:
		*f = Float(math.Inf(-1))
	default:
		v, err := strconv.ParseFloat(string(data), 64)
		if err != nil {
			return fmt.Errorf("audit: number: %w", err)
		}
		*f = Float(v)
	}
	return nil
}
