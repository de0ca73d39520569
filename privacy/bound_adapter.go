package privacy

// boundOf encloses the epsilon of n executions of e at delta by the best method.
func boundOf(e Event, n int, delta float64) (Interval, error) {
	var b Best
	if err := b.Add(e, n); err != nil {
		return Interval{}, err
	}
	return b.Epsilon(delta)
}
