package retry

// Class says how errors of one kind are retried, where that differs from the rest of a [Policy].
type Class struct {
	// Match says which errors. They are retried whatever Retryable says of them, unless they are permanent. Nil matches
	// none.
	Match func(err error) bool
	// Attempts is the largest number of attempts after which an error of this class is retried, those that failed
	// otherwise included. Default that of the policy; 1 means no retry.
	Attempts int
	// Delays are the delays after errors of this class. Default those of the policy.
	Delays Delays
}
