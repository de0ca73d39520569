package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/surefoot-ml/surefoot/examples/dpsgd/internal/dataset"
	"github.com/surefoot-ml/surefoot/examples/dpsgd/internal/softmax"
	"github.com/surefoot-ml/surefoot/privacy/leakage"
)

// canaries are examples that were made up to find out what the model gives away: each has one feature that nothing else has, and a coin
// decides whether it is in the training part. Whoever knows the model guesses the coins; how often that is right bounds ε from below.
type canaries struct {
	plan *leakage.Plan
	dim  int // features of the data without them
}

// canariesName is the file of the coins. It is for the auditor, who has it from the start, and for nobody else.
const canariesName = "canaries.json"

// minCanaries is the fewest that can show anything.
const minCanaries = 20

// openCanaries tosses the coins of a new run, or reads those of the run that is resumed, which its trail knows by their digest.
func (o *options) openCanaries(dim int, digest string) (*canaries, error) {
	if o.set.Canaries == 0 {
		return nil, nil
	}
	c := &canaries{plan: new(leakage.Plan), dim: dim}
	if o.resume {
		data, err := os.ReadFile(o.path(canariesName))
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(data, c.plan); err != nil {
			return nil, fmt.Errorf("%s: %w", canariesName, err)
		}
		if c.plan.Digest() != digest || c.plan.Len() != o.set.Canaries {
			return nil, errors.New(canariesName + " is not the one of this run")
		}
		return c, nil
	}
	toss := func() (*leakage.Plan, error) { return leakage.NewPlan(o.set.Canaries) }
	if o.key != 0 {
		toss = func() (*leakage.Plan, error) { return leakage.NewSeededPlan(o.key, o.set.Canaries) }
	}
	var err error
	if c.plan, err = toss(); err != nil {
		return nil, err
	}
	data, err := json.Marshal(c.plan)
	if err != nil {
		return nil, err
	}
	return c, writeFile(o.path(canariesName), data)
}

// plant returns the data with the canaries that the coins have put in.
func (c *canaries) plant(d *dataset.Dataset) *dataset.Dataset {
	planted := *d
	planted.Dim += c.plan.Len()
	planted.Train = slices.Clip(planted.Train)
	for _, i := range c.plan.Members() {
		planted.Train = append(planted.Train, c.example(i, len(d.Classes)))
	}
	return &planted
}

// example is canary i. Its feature is as large as it takes to be clipped at the norms that are used here.
func (c *canaries) example(i, classes int) dataset.Example {
	return dataset.Example{Index: []int32{int32(c.dim + i)}, Value: []float32{1}, Label: i % classes}
}

// audit guesses the coins from the model. Nothing but the canary itself pushes the weights of its feature towards its label: by how
// much they lean to it is the score.
func (c *canaries) audit(m *softmax.Model, claim, delta float64) (leakage.Report, error) {
	scores, err := c.plan.Scores(func(i int) (float64, error) {
		score, others := 0.0, 0.0
		for class := range m.Classes {
			w := m.Weights[class*m.Dim+c.dim+i]
			if class == i%m.Classes {
				score = w
			} else {
				others += w
			}
		}
		return score - others/float64(m.Classes-1), nil
	})
	if err != nil {
		return leakage.Report{}, err
	}
	return c.plan.Audit(scores, leakage.Config{Delta: delta, Claim: claim})
}
