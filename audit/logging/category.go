package logging

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"runtime"
	"time"
)

// Categories of errors. They follow from how an error behaves, not from where it comes from.
const (
	CategoryNone      = ""          // no error
	CategoryCancelled = "cancelled" // the caller gave up
	CategoryTimeout   = "timeout"   // took too long
	CategoryThrottled = "throttled" // comes with a time after which to try again
	CategoryRefused   = "refused"   // by a policy, and says nothing about the step
	CategoryPanic     = "panic"     // of the Go runtime, such as an index out of range
	CategoryDisk      = "disk"      // is full, read-only or out of quota
	CategoryPermanent = "permanent" // trying again does not help
	CategoryTransient = "transient" // all others
)

// Category returns the category of an error, the first of the list above that fits. The behaviours it looks for are
// RetryAfter() time.Duration, Timeout() bool, Neutral() bool and Permanent() bool.
func Category(err error) string {
	var (
		panicked  runtime.Error
		after     interface{ RetryAfter() time.Duration }
		timeout   interface{ Timeout() bool }
		neutral   interface{ Neutral() bool }
		permanent interface{ Permanent() bool }
	)
	switch {
	case err == nil:
		return CategoryNone
	case errors.Is(err, context.Canceled):
		return CategoryCancelled
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return CategoryTimeout
	case errors.As(err, &after) && after.RetryAfter() > 0:
		return CategoryThrottled
	case errors.As(err, &neutral) && neutral.Neutral():
		return CategoryRefused
	case errors.As(err, &panicked):
		return CategoryPanic
	case isDisk(err):
		return CategoryDisk
	case errors.As(err, &permanent) && permanent.Permanent(), errors.Is(err, fs.ErrPermission), errors.Is(err, errors.ErrUnsupported):
		return CategoryPermanent
	}
	return CategoryTransient
}

// Error returns an attribute "error" with the text and the category of an error, and the time after which to try again if
// it knows one. Of a nil err it returns an empty attribute, which handlers leave out.
func Error(err error) slog.Attr {
	if err == nil {
		return slog.Attr{}
	}
	attrs := []slog.Attr{slog.Any("text", err), slog.String("category", Category(err))}
	var after interface{ RetryAfter() time.Duration }
	if errors.As(err, &after) && after.RetryAfter() > 0 {
		attrs = append(attrs, slog.Duration("retry_after", after.RetryAfter()))
	}
	return slog.Attr{Key: "error", Value: slog.GroupValue(attrs...)}
}
