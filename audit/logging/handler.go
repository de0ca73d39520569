package logging

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/surefoot-ml/surefoot/audit/redact"
)

// DefaultCategoryKey is the attribute that names a logger's category unless Config says otherwise.
const DefaultCategoryKey = "category"

// Config of a Handler. The zero value redacts and logs from slog.LevelInfo on.
type Config struct {
	// Redactor, if not nil, takes the place of one with the defaults of package redact.
	Redactor *redact.Redactor
	// Level is that of records whose category has none. Nil means slog.LevelInfo. A *slog.LevelVar can be changed at any
	// time, here and in Levels.
	Level slog.Leveler
	// Levels are those of categories. A logger has a category by its attribute: logger.With("category", "privacy").
	Levels map[string]slog.Leveler
	// CategoryKey is the name of that attribute. Empty means DefaultCategoryKey.
	CategoryKey string
	// Context, if not nil, returns further attributes of a context. They stand beside those of its Scope, outside of all
	// groups, and are redacted too.
	Context func(ctx context.Context) []slog.Attr
}

// Stats of a Handler.
type Stats struct {
	Handled uint64 // records that went through
	Failed  uint64 // records that the handler behind refused
	Err     error  // the last refusal, redacted
}

// Handler puts the Scope of the context into every record, takes secrets out of it, makes numbers that JSON does not have
// readable, and hands it on. What it hands on is final: values are resolved, and nothing further is read from what the
// caller holds. A panic in a value's method, or in the handler behind, does not reach the caller. It is safe for concurrent
// use; loggers derived from it share its counters. A nil or zero Handler is never enabled.
type Handler struct {
	*shared
	level  slog.Leveler
	inner  slog.Handler // with all attributes and groups
	outer  slog.Handler // with those in front of the first group
	steps  []step       // those from there on
	groups []string     // that are open
	hidden redact.Kind  // if one of them is a key
}

// step is a group that was opened, or else attributes that were added.
type step struct {
	group string
	attrs []slog.Attr
}

// shared is what loggers derived from each other have in common.
type shared struct {
	cfg             Config
	handled, failed atomic.Uint64
	err             atomic.Pointer[error]
	buffers         sync.Pool
}

// New returns a Handler in front of inner, such as a slog.JSONHandler. The levels of inner do not matter, unless it checks
// them in its Handle.
func New(inner slog.Handler, cfg Config) (*Handler, error) {
	if inner == nil {
		return nil, errors.New("logging: no handler to write to")
	}
	for name, l := range cfg.Levels {
		if l == nil {
			return nil, fmt.Errorf("logging: no level for category %q", name)
		}
	}
	if cfg.Redactor == nil {
		r, err := redact.New(redact.Config{})
		if err != nil {
			return nil, err
		}
		cfg.Redactor = r
	}
	if cfg.Level == nil {
		cfg.Level = slog.LevelInfo
	}
	if cfg.CategoryKey == "" {
		cfg.CategoryKey = DefaultCategoryKey
	}
	h := &Handler{shared: &shared{cfg: cfg}, level: cfg.Level, inner: inner, outer: inner}
	h.buffers.New = func() any { return new([]slog.Attr) }
	return h, nil
}

func (h *Handler) unusable() bool { return h == nil || h.shared == nil }

// Enabled implements slog.Handler.
func (h *Handler) Enabled(_ context.Context, l slog.Level) bool {
	return !h.unusable() && l >= h.level.Level()
}

// Stats returns the counters.
func (h *Handler) Stats() Stats {
	if h.unusable() {
		return Stats{}
	}
	s := Stats{Handled: h.handled.Load(), Failed: h.failed.Load()}
	if err := h.err.Load(); err != nil {
		s.Err = *err
	}
	return s
}

// WithAttrs implements slog.Handler. The attributes are resolved and redacted now.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	if h.unusable() || len(attrs) == 0 {
		return h
	}
	clean := make([]slog.Attr, 0, len(attrs))
	next := *h
	for _, a := range attrs {
		if len(h.groups) == 0 && a.Key == h.cfg.CategoryKey {
			if l, ok := h.cfg.Levels[a.Value.Resolve().String()]; ok {
				next.level = l
			} else {
				next.level = h.cfg.Level
			}
		}
		clean = append(clean, h.clean(a))
	}
	next.inner = h.inner.WithAttrs(clean)
	if len(h.groups) == 0 {
		next.outer = h.outer.WithAttrs(clean)
	} else {
		next.steps = append(slices.Clip(h.steps), step{attrs: clean})
	}
	return &next
}

// WithGroup implements slog.Handler. In a group whose name is a key, everything is a secret.
func (h *Handler) WithGroup(name string) slog.Handler {
	if h.unusable() || name == "" {
		return h
	}
	next := *h
	clean := h.cfg.Redactor.String(name)
	next.inner = h.inner.WithGroup(clean)
	next.groups = append(slices.Clip(h.groups), name)
	next.steps = append(slices.Clip(h.steps), step{group: clean})
	if kind, secret := h.cfg.Redactor.Key(name); secret && h.hidden == "" {
		next.hidden = kind
	}
	return &next
}

func (h *Handler) clean(a slog.Attr) slog.Attr {
	if h.hidden != "" {
		if a.Equal(slog.Attr{}) {
			return a
		}
		return h.cfg.Redactor.Attr(h.groups, a)
	}
	c, _ := h.cfg.Redactor.Clean(a)
	return c
}

// Handle implements slog.Handler. Its error is that of the handler behind, and has been counted.
func (h *Handler) Handle(ctx context.Context, rec slog.Record) (err error) {
	if h.unusable() {
		return nil
	}
	defer func() {
		if p := recover(); p != nil {
			err = errors.New("logging: handler panicked") // its text may hold a secret
		}
		if err == nil {
			h.handled.Add(1)
			return
		}
		h.failed.Add(1)
		shown := h.cfg.Redactor.Error(err)
		h.err.Store(&shown)
	}()
	scope := fromContext(ctx)
	message := h.cfg.Redactor.String(rec.Message)
	if scope == nil && h.cfg.Context == nil && h.hidden == "" && message == rec.Message && h.plain(&rec) {
		return h.inner.Handle(ctx, rec)
	}
	buffer := h.buffers.Get().(*[]slog.Attr)
	defer func() {
		clear(*buffer)
		*buffer = (*buffer)[:0]
		h.buffers.Put(buffer)
	}()
	*buffer = h.attrs((*buffer)[:0], &rec)
	if scope == nil && h.cfg.Context == nil {
		return h.inner.Handle(ctx, rebuilt(rec, message, *buffer))
	}
	return h.handleIn(ctx, scope, rebuilt(rec, message, nil), *buffer)
}

// plain reports whether the record's attributes can stay as they are, which is so for most records.
func (h *Handler) plain(rec *slog.Record) bool {
	plain := true
	rec.Attrs(func(a slog.Attr) bool {
		plain = h.cfg.Redactor.Plain(a)
		return plain
	})
	return plain
}

// attrs appends the record's attributes without secrets.
func (h *Handler) attrs(dst []slog.Attr, rec *slog.Record) []slog.Attr {
	rec.Attrs(func(a slog.Attr) bool {
		dst = append(dst, h.clean(a))
		return true
	})
	return dst
}

func rebuilt(rec slog.Record, message string, attrs []slog.Attr) slog.Record {
	out := slog.NewRecord(rec.Time, rec.Level, message, rec.PC)
	out.AddAttrs(attrs...)
	return out
}

// handleIn hands on a record with what its context adds. That stands outside of all groups, which the handler behind can do
// only if it has not been told of them: the groups become values.
func (h *Handler) handleIn(ctx context.Context, scope *Scope, rec slog.Record, attrs []slog.Attr) error {
	inner := h.inner
	if len(h.steps) > 0 {
		inner = h.outer
		attrs = slices.Clone(attrs)
		for i := len(h.steps) - 1; i >= 0; i-- {
			if s := h.steps[i]; s.group == "" {
				attrs = append(slices.Clip(s.attrs), attrs...)
			} else {
				attrs = []slog.Attr{{Key: s.group, Value: slog.GroupValue(attrs...)}}
			}
		}
	}
	if scope != nil {
		rec.AddAttrs(scope.shown(h.cfg.Redactor)...)
	}
	if h.cfg.Context != nil {
		for _, a := range h.cfg.Context(ctx) {
			c, _ := h.cfg.Redactor.Clean(a)
			rec.AddAttrs(c)
		}
	}
	rec.AddAttrs(attrs...)
	return inner.Handle(ctx, rec)
}
