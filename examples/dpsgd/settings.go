package main

// settings are the numbers that decide what is learned and what it costs.
type settings struct {
	Steps    int     `json:"steps"`
	Batch    int     `json:"batch"`    // expected size of a batch
	Noise    float64 `json:"noise"`    // noise multiplier: standard deviation over clip
	Clip     float64 `json:"clip"`     // L2 norm
	Rate     float64 `json:"rate"`     // learning rate
	Momentum float64 `json:"momentum"` // 0 to 1
	Epsilon  float64 `json:"epsilon"`
	Delta    float64 `json:"delta"`
	Canaries int     `json:"canaries,omitempty"` // made-up examples that are in the training part or not, by a coin each
}

// The defaults were chosen on a part of the training examples, without privacy, which is fair because these data are public.
// They leave about a tenth of the budget ε = 3 for attempts that fail after they were charged.
var (
	corpusDefaults = settings{Steps: 400, Batch: 2048, Noise: 3.1, Clip: 0.1, Rate: 40, Momentum: 0.9}
	adultDefaults  = settings{Steps: 400, Batch: 1024, Noise: 1.6, Clip: 1, Rate: 0.8, Momentum: 0.9}
)

// sampling is the probability with which each of n examples enters a batch.
func (s settings) sampling(n int) float64 { return min(1, float64(s.Batch)/float64(n)) }
