// Package logging is what stands between a *slog.Logger and a file: records that say which run and step they belong to,
// without secrets, that are not lost without being counted.
//
// For most uses: open a [File], put an [Async] in front of it where the disk must not delay a step, give that to
// slog.NewJSONHandler, and wrap that in the [Handler] that [New] returns.
//
//	file, err := logging.OpenFile("logs/train.log", logging.FileConfig{MaxSize: 64 << 20, Keep: 10})
//	queue, err := logging.NewAsync(file, logging.AsyncConfig{Overflow: logging.DropNewest})
//	handler, err := logging.New(slog.NewJSONHandler(queue, nil), logging.Config{})
//	log := slog.New(handler)
//	...
//	err = errors.Join(queue.Close(ctx), file.Close())
//
// A context made with [With] puts the run, the trace and the step into every record logged under it. [NewTimer] measures
// an operation and logs what is slow; [Category] says what kind of error an error is.
//
// # What gets lost, and where that shows
//
// A slog.Logger drops the errors of its handler, so that a log is never a proof that something was recorded: that is what
// package audit is for. Everything here counts instead. [Handler.Stats] has the records that the handler behind it
// refused; [Async.Stats] those that found no room, by its stated policy, and those that could not be written;
// [File.Stats] failed writes and rotations.
//
// A File appends each record with one write. After a kill, it holds whole lines and at most one torn one at its end, which
// the next OpenFile closes with a line end. A full disk fails the record at hand, whose part is cut off again; the records
// after it are tried anew.
package logging
