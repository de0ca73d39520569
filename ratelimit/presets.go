package ratelimit

import "time"

// Step are settings for the training step itself: one at a time, and a second one is refused at once, because two that run
// together are a mistake in the loop and not load that waiting would spread.
func Step() BulkheadConfig { return BulkheadConfig{Permits: 1} }

// Checkpointing are settings for writing checkpoints: one at a time, because two at once only slow each other down, and
// one more may wait for as long as its context allows. A third is refused, since the one that waits will save a state that
// is as new; ask at a higher priority for the last checkpoint before the end, which then takes that place.
func Checkpointing() BulkheadConfig { return BulkheadConfig{Permits: 1, MaxWait: -1, Queue: 1} }

// DataLoading are settings for readers of data, up to a number of workers: storage shows its load in its latency, and how
// many reads at once it stands is seldom known and changes with its other users. Readers wait, because a batch that was
// not read is needed all the same. The number is positive.
func DataLoading(workers int) GradientConfig {
	if workers < 1 {
		workers = -1 // which NewGradient refuses; zero would be its default
	}
	return GradientConfig{Max: workers, MaxWait: -1}
}

// ProviderCall are settings for a service that allows a number of calls per minute: bursts of up to a sixth of it, and a
// rate so much lower that no minute, however it is cut out of the hour, has more than the quota. (A bucket of 10 that is
// refilled at 60 per minute lets through 70 in its first minute.) 60 per minute are a burst of 10 and 51 per minute. The
// rate falls to half of that while more than a tenth of the calls fail.
func ProviderCall(perMinute int) AdaptiveConfig {
	burst := max(1, perMinute/6)
	return AdaptiveConfig{PerSecond: float64(perMinute+1-burst) / time.Minute.Seconds(), Burst: burst}
}
