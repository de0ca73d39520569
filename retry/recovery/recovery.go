// Package recovery brings a training loop back after failures that another attempt does not cure: it keeps checkpoints,
// notices divergence, decides what to do about a failed step, and sees to it that every batch is applied exactly once.
//
// For most uses open a [Store], make a [Supervisor] of it, and put the supervisor between the loop and the step:
//
//	sup, err := recovery.New(ctx, store, model, recovery.Config{Undo: model.Undo})
//	for sup.Step() < steps {
//		b := sup.Next()
//		loss, err := run.Do(ctx, b, train) // or simply train(ctx, b)
//		if _, err := sup.Done(ctx, recovery.Outcome{Loss: loss, Err: err}); err != nil {
//			return err // *StopError: ended, and whether starting again can help
//		}
//	}
//	return sup.Finish()
//
// New resumes from the newest checkpoint; Done puts the state back, rolls back, leaves batches out or shrinks them as the
// [Plan] says, and saves. [Store] and [Detector] are useful alone.
//
// # Where it stands
//
// Attempts in place, with a deadline and with admission around each, are the business of a Runner and of package retry.
// What they give up on comes here, between two batches. The steps must take their batch by the index they are given, so
// that the same index is the same batch in every process.
//
// # Privacy
//
// A budget is no part of a checkpoint, see [Checkpointer]. Every batch that Next hands out runs, and is charged, whether
// that index has run before or not. Decisions depend on what Done is told, so tell it only what may be released. When the
// logical batch changes, MicroConfig.OnChange must re-account before the next step.
package recovery
