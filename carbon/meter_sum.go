package carbon

import (
	"encoding/json"
	"math"
	"strconv"
)

// Grams is a mass of CO2 equivalent in grams.
type Grams float64

// String returns the value with its unit.
func (g Grams) String() string { return strconv.FormatFloat(float64(g), 'f', -1, 64) + " gCO2e" }

// sum is a compensated sum (Neumaier): a million joules added one by one to a megawatt hour are not lost in its rounding.
type sum struct{ high, low float64 }

func (s *sum) add(x float64) {
	t := s.high + x
	if math.Abs(s.high) >= math.Abs(x) {
		s.low += (s.high - t) + x
	} else {
		s.low += (x - t) + s.high
	}
	s.high = t
}

func (s sum) value() float64 { return s.high + s.low }

// valid reports whether s is a sum of what may be added: finite and not negative.
func (s sum) valid() bool {
	return s.high >= 0 && s.high <= math.MaxFloat64/2 && math.Abs(s.low) <= s.high && s.value() >= 0
}

// MarshalJSON keeps both parts, so that a restart rounds nothing.
func (s sum) MarshalJSON() ([]byte, error) { return json.Marshal([2]float64{s.high, s.low}) }

// UnmarshalJSON reads both parts.
func (s *sum) UnmarshalJSON(data []byte) error {
	var parts [2]float64
	if err := json.Unmarshal(data, &parts); err != nil {
		return err
	}
	s.high, s.low = parts[0], parts[1]
	return nil
}
