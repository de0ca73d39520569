package bench

import (
	_ "github.com/cenkalti/backoff/v4"
	_ "github.com/failsafe-go/failsafe-go"
	_ "github.com/failsafe-go/failsafe-go/bulkhead"
	_ "github.com/failsafe-go/failsafe-go/circuitbreaker"
	_ "github.com/failsafe-go/failsafe-go/ratelimiter"
	_ "github.com/failsafe-go/failsafe-go/retrypolicy"
	_ "github.com/sony/gobreaker/v2"
	_ "github.com/surefoot-ml/surefoot"
	_ "golang.org/x/sync/semaphore"
	_ "golang.org/x/time/rate"
)
