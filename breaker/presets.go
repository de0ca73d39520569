package breaker

import "time"

// ForStep returns a configuration for training steps, which take from milliseconds to hours, change state, and of which a
// failed one costs a restore. It opens at 3 failures in a row, because the same cause mostly meets each of them, or at half
// of the last 20 results once there are 5: counted in steps, so that it means the same for a step of any length. It waits
// a minute, for what restarts, up to half an hour, for what must be repaired. One probe runs at a time, since steps must
// not overlap, and two must succeed, since the first one after a restore often does. A probe may take a day. Set SlowAfter
// and SlowRate if you know how long a step takes.
func ForStep() Config {
	return Config{
		Failures: 3, FailureRate: .5, WindowSteps: 20, MinSteps: 5,
		Open: time.Minute, OpenFactor: 2, MaxOpen: 30 * time.Minute, Jitter: .1,
		Probes: 1, ProbeSuccesses: 2, ProbeLimit: 24 * time.Hour,
	}
}

// ForLoading returns a configuration for loading batches, which is frequent, short, done by several workers at once, and
// safe to repeat. A single bad file must not stop all of them: it opens at half of the last 100 results, once there are 20,
// or when 8 of 10 take more than 30 seconds, as they do while a store is overloaded but still answers. It waits 10
// seconds, because the step waits as well, up to 5 minutes, and half of that is random, so that workers do not come back
// together. Three probes run at once and 8 of 10 must succeed.
func ForLoading() Config {
	return Config{
		FailureRate: .5, SlowAfter: 30 * time.Second, SlowRate: .8, WindowSteps: 100, MinSteps: 20,
		Open: 10 * time.Second, OpenFactor: 2, MaxOpen: 5 * time.Minute, Jitter: .5,
		Probes: 3, ProbeSuccesses: 8, ProbeFailures: 2, ProbeLimit: 10 * time.Minute,
	}
}

// ForCheckpoint returns a configuration for writing checkpoints, which is rare and long, and of which each one missed costs
// the progress since the last. It opens at 2 failures in a row: more would take hours to see, and a full disk does not
// become empty. It waits 5 minutes and never more than 15, so that it tries again before the next checkpoint or so. One
// success closes it. A probe may take 6 hours.
func ForCheckpoint() Config {
	return Config{
		Failures: 2, WindowSteps: 10,
		Open: 5 * time.Minute, OpenFactor: 2, MaxOpen: 15 * time.Minute, Jitter: .1,
		Probes: 1, ProbeSuccesses: 1, ProbeLimit: 6 * time.Hour,
	}
}

// ForProvider returns a configuration for calls of a provider over a network, such as one of carbon intensity, which are
// short and far between, and have something to fall back on. It opens at 5 failures in a row, at half of the results of 5
// minutes once there are 5, or when 8 of 10 of those take more than 10 seconds: in time, because what failed an hour ago
// says nothing of a network now. It waits 30 seconds, up to half an hour as quotas last, a fifth of it random. One
// probe runs at a time and 3 must succeed. A probe may take 2 minutes.
func ForProvider() Config {
	return Config{
		Failures: 5, FailureRate: .5, SlowAfter: 10 * time.Second, SlowRate: .8, Window: 5 * time.Minute, MinSteps: 5,
		Open: 30 * time.Second, OpenFactor: 2, MaxOpen: 30 * time.Minute, Jitter: .2,
		Probes: 1, ProbeSuccesses: 3, ProbeLimit: 2 * time.Minute,
	}
}
