module github.com/surefoot-ml/surefoot/bench

go 1.25.0

require (
	github.com/cenkalti/backoff/v4 v4.3.0
	github.com/failsafe-go/failsafe-go v0.9.8
	github.com/sony/gobreaker/v2 v2.4.0
	github.com/surefoot-ml/surefoot v0.0.0
	golang.org/x/sync v0.22.0
	golang.org/x/time v0.15.0
	gonum.org/v1/gonum v0.17.0
)

require github.com/bits-and-blooms/bitset v1.24.4 // indirect

replace github.com/surefoot-ml/surefoot => ../
