package logging

import (
	"context"
	"log/slog"

	"github.com/surefoot-ml/surefoot/audit/redact"
)

// Names of the attributes that a Scope adds to a record.
const (
	RunKey         = "run"
	TraceKey       = "trace_id"
	SpanKey        = "span_id"
	CorrelationKey = "correlation"
	StepKey        = "step"
	AttemptKey     = "attempt"
)

// Scope says what a record is about. Fields that are zero are not logged.
type Scope struct {
	Run         string // id of the training run
	Trace       Trace  // of a distributed trace
	Correlation string // any other id that joins records, such as that of a request
	Step        uint64 // counts from 1
	Attempt     int    // at the step; counts from 1
}

type scopeKey struct{}

// With returns a context with a Scope. Fields that are zero stay as they are in ctx.
func With(ctx context.Context, s Scope) context.Context {
	if old := fromContext(ctx); old != nil {
		if s.Run == "" {
			s.Run = old.Run
		}
		if s.Trace == (Trace{}) {
			s.Trace = old.Trace
		}
		if s.Correlation == "" {
			s.Correlation = old.Correlation
		}
		if s.Step == 0 {
			s.Step = old.Step
		}
		if s.Attempt == 0 {
			s.Attempt = old.Attempt
		}
	}
	return context.WithValue(ctx, scopeKey{}, &s)
}

// From returns the Scope of a context.
func From(ctx context.Context) Scope {
	if s := fromContext(ctx); s != nil {
		return *s
	}
	return Scope{}
}

func fromContext(ctx context.Context) *Scope {
	if ctx == nil {
		return nil
	}
	s, _ := ctx.Value(scopeKey{}).(*Scope)
	return s
}

// shown returns the attributes of a scope. Ids come from outside, so they are redacted.
func (s *Scope) shown(r *redact.Redactor) []slog.Attr {
	attrs := make([]slog.Attr, 0, 6)
	if s.Run != "" {
		attrs = append(attrs, slog.String(RunKey, r.String(s.Run)))
	}
	if s.Trace.ID != [16]byte{} {
		attrs = append(attrs, slog.String(TraceKey, s.Trace.TraceID()))
	}
	if s.Trace.Span != [8]byte{} {
		attrs = append(attrs, slog.String(SpanKey, s.Trace.SpanID()))
	}
	if s.Correlation != "" {
		attrs = append(attrs, slog.String(CorrelationKey, r.String(s.Correlation)))
	}
	if s.Step != 0 {
		attrs = append(attrs, slog.Uint64(StepKey, s.Step))
	}
	if s.Attempt != 0 {
		attrs = append(attrs, slog.Int(AttemptKey, s.Attempt))
	}
	return attrs
}
