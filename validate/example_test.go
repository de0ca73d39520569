package validate_test

import (
	"errors"
	"fmt"
	"math"

	"github.com/surefoot-ml/surefoot/validate"
)

func ExampleCheck() {
	var c validate.Check
	validate.Privacy{Epsilon: 12, Delta: 1e-5, Clip: 1, NoiseMultiplier: 0, SamplingRate: 0.01}.Check(c.At("privacy"))
	validate.Training{Epochs: 3, BatchSize: 64, LearningRate: math.NaN(), MaxGradNorm: 1}.Check(c.At("training"))
	c.OneOf("optimizer", "adma", "sgd", "adam", "adamw")
	c.Secret("api_key", "changeme")

	var problems validate.Problems
	if errors.As(c.Err(), &problems) {
		for _, p := range problems {
			fmt.Println(p)
		}
	}
	fmt.Println(c.Warnings())
	// Output:
	// api_key is [redacted], must be a real one and not an example
	// optimizer is "adma", must be one of "sgd", "adam", "adamw"
	// privacy.noise_multiplier is 0, must be in [0.01, 10]: without noise there is no privacy
	// training.learning_rate is NaN, must be in [1e-08, 1]
	// validate: privacy.epsilon is 12, should be at most 10: above it the guarantee says little
}

func ExampleRules() {
	type config struct {
		Rate float64
		Seed *int
	}
	rules, err := validate.NewRules(
		validate.Float[config]{Name: "rate", Get: func(c *config) float64 { return c.Rate }, Max: 1, Above: true,
			Usual: validate.Usual{Min: 1e-6, Max: 0.1}},
		validate.Int[config]{Name: "seed", Get: func(c *config) int { return *c.Seed }, Max: 1000,
			Presence: validate.Presence[config]{Has: func(c *config) bool { return c.Seed != nil }}},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	zero := 0
	fmt.Println(rules.ErrStrict(&config{Rate: 0.01, Seed: &zero}))
	fmt.Println(rules.ErrStrict(&config{Rate: 0.5}))
	fmt.Println(rules.Err(&config{Rate: math.Inf(1)}))
	// Output:
	// <nil>
	// validate: rate is 0.5, should be in [1e-06, 0.1]
	// validate: rate is +Inf, must be in (0, 1]
}

func ExampleFinite() {
	grads := []float32{0.5, -0.25, float32(math.Inf(1)), 0}
	err := validate.Finite("grads", grads)
	fmt.Println(err)
	var bad *validate.NotFiniteError
	fmt.Println(errors.As(err, &bad), bad.Index)
	// Output:
	// validate: grads[2] is +Inf, must be finite
	// true 2
}

// FiniteValue makes a Runner retry a step whose loss is NaN.
func ExampleFiniteValue() {
	check := func(loss float64) error { return validate.FiniteValue("loss", loss) } // Runner.Check
	fmt.Println(check(0.69))
	fmt.Println(check(math.NaN()))
	// Output:
	// <nil>
	// validate: loss is NaN, must be finite
}

func ExampleFilter() {
	losses := []float64{0.7, math.NaN(), 0.6, 900}
	kept, report, err := validate.Filter("losses", losses, validate.Screen{NaN: validate.Drop, Range: validate.Count, Max: 100})
	fmt.Println(kept, report.Dropped, report.OutOfRange, err)
	// Output: [0.7 0.6 900] 1 1 <nil>
}

func ExampleScan() {
	r := validate.Scan([]float32{1, -2, 1e-42, float32(math.NaN())})
	fmt.Printf("%d values, %d finite, %d subnormal, in [%g, %g]\n", r.N, r.Finite(), r.Subnormal, r.Min, r.Max)
	// Output: 4 values, 3 finite, 1 subnormal, in [-2, 1]
}
