package noise

import "math"

// Schedule gives the value of a parameter, a noise multiplier or a clip norm, in a step that is counted from 0. It must depend on
// nothing but the step: what depends on the data belongs into an Adaptive accumulator, which charges for it.
type Schedule func(step int) float64

// Constant is the same value in every step.
func Constant(value float64) Schedule {
	return func(int) float64 { return value }
}

// Linear goes from one value to another in the given number of steps, and stays there.
func Linear(from, to float64, steps int) Schedule {
	return func(step int) float64 {
		if step = max(step, 0); step >= steps {
			return to
		}
		share := float64(step) / float64(steps)
		return from*(1-share) + to*share
	}
}

// Exponential multiplies by ratio in every step.
func Exponential(from, ratio float64) Schedule {
	return func(step int) float64 { return from * math.Pow(ratio, float64(max(step, 0))) }
}

// Staircase multiplies by ratio once in a number of steps; never if every is 0 or less.
func Staircase(from, ratio float64, every int) Schedule {
	return func(step int) float64 {
		if every <= 0 {
			return from
		}
		return from * math.Pow(ratio, float64(max(step, 0)/every))
	}
}
