package surefoot

import "context"

// Around puts the policies of a Runner around an ordinary call, such as asking a provider or loading data, and returns a
// function that is called like the original. It is the same engine as for training steps: the call may run more than once,
// never twice at a time, and what it leaves behind when it fails is for run.Restore to undo, if it is not idempotent.
func Around[T any](run *Runner[struct{}, T], call func(ctx context.Context) (T, error)) func(ctx context.Context) (T, error) {
	step := func(ctx context.Context, _ struct{}) (T, error) { return call(ctx) }
	return func(ctx context.Context) (T, error) { return run.Do(ctx, struct{}{}, step) }
}
