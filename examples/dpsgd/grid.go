package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/surefoot-ml/surefoot/audit"
	"github.com/surefoot-ml/surefoot/breaker"
	"github.com/surefoot-ml/surefoot/carbon"
	"github.com/surefoot-ml/surefoot/resources"
)

// openCarbon chooses the source of the carbon intensity and configures the gate on it.
func (r *run) openCarbon(ctx context.Context) (carbon.Provider, carbon.GateConfig, error) {
	var (
		provider carbon.Provider = carbon.TypicalDay(0)
		origin                   = time.Date(2026, 6, 1, 15, 0, 0, 0, time.UTC)
		none     carbon.GateConfig
		err      error
	)
	switch {
	case r.live:
		provider, origin = &carbon.NESO{}, time.Time{}
	case r.trace != "":
		if provider, origin, err = openTrace(r.trace, r.zone, r.column); err != nil {
			return nil, none, err
		}
	}
	if r.origin != "" {
		if r.live {
			return nil, none, errors.New("-carbon-start has no meaning with -carbon-live")
		}
		if origin, err = time.Parse(time.RFC3339, r.origin); err != nil {
			return nil, none, fmt.Errorf("-carbon-start: %w", err)
		}
	}
	if !r.live {
		r.line = carbon.Timeline{Start: time.Now(), Origin: origin, Speed: r.speed}
	}
	pause, resume := carbon.Intensity(r.pause), carbon.Intensity(r.resumeAt)
	switch {
	case pause != 0:
	case r.live || r.trace != "": // knows nothing of what is usual there: a tenth above the present
		now, err := provider.At(ctx, r.line.At(time.Now()))
		if err != nil {
			r.progress.note("no carbon intensity at the start, so nothing pauses: %s", short(err))
			pause = carbon.MaxIntensity
			break
		}
		pause = 1.1 * now.Intensity
	default:
		pause = 410 // exceeded for some hours of a typical evening
	}
	if resume == 0 {
		resume = 0.98 * pause
	}
	return provider, carbon.GateConfig{
		Provider: provider, Pause: pause, Resume: resume, MaxWait: r.maxPause, Timeline: r.line, OnChange: r.carbonChanged,
	}, nil
}

// openTrace reads a recorded trace. Without a zone the file must have one column of values.
func openTrace(path, zone, column string) (*carbon.Trace, time.Time, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, time.Time{}, err
	}
	defer f.Close()
	var from io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if from, err = gzip.NewReader(f); err != nil {
			return nil, time.Time{}, fmt.Errorf("%s: %w", path, err)
		}
	}
	head := bufio.NewReader(from)
	if zone == "" {
		peeked, _ := head.Peek(4096)
		line, _, _ := bytes.Cut(peeked, []byte("\n"))
		names := strings.Split(strings.TrimSpace(string(line)), ",")
		if len(names) != 2 {
			return nil, time.Time{}, fmt.Errorf("%s has %d columns: choose one with -zone, or -zone and -carbon-column", path, len(names))
		}
		zone = strings.Trim(names[1], `"`)
	}
	trace, err := carbon.ReadTrace(head, carbon.TraceOptions{Zone: zone, ValueColumn: column, Source: path})
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("%s: %w", path, err)
	}
	start, _ := trace.Span()
	return trace, start, nil
}

// carbonChanged records what the gate does.
func (r *run) carbonChanged(c carbon.Change) {
	data := map[string]any{"time": c.At, "paused": c.Paused, "forced": c.Forced}
	switch {
	case c.Err != nil:
		data["error"] = short(c.Err)
		r.progress.note("%s  no carbon intensity, so nothing waits: %s", c.At.Format("15:04"), short(c.Err))
		r.notes = append(r.notes, "without data at "+c.At.Format(time.RFC3339))
	case c.Paused:
		r.progress.note("%s  paused at %v", c.At.Format("15:04"), c.Reading.Intensity)
		r.curve.paused = append(r.curve.paused, r.learner.applied)
	case c.Forced:
		r.progress.note("%s  the pause has lasted %v: going on at %v", c.At.Format("15:04"), r.maxPause, c.Reading.Intensity)
		r.notes = append(r.notes, "a pause ended by its limit at "+c.At.Format(time.RFC3339))
	default:
		r.progress.note("%s  resumed at %v", c.At.Format("15:04"), c.Reading.Intensity)
	}
	if c.Err == nil {
		data["intensity"], data["source"], data["basis"] = float64(c.Reading.Intensity), c.Reading.Source, c.Reading.Basis.String()
	}
	r.keep(r.event(audit.KindCarbon, data))
}

// breakerChanged records what the breaker does.
func (r *run) breakerChanged(c breaker.Change) {
	if c.To == breaker.Open {
		r.opened++
	}
	r.keep(r.event(audit.KindBreaker, map[string]string{
		"from": c.From.String(), "to": c.To.String(), "reason": fmt.Sprint(c.Reason),
	}))
}

// openResources puts a gate on this machine's memory. It also tells how much CPU time the process has used.
func (r *run) openResources(ctx context.Context) (*resources.Gate, func() (time.Duration, error), error) {
	sampler, err := resources.NewSampler(resources.SamplerConfig{Disk: r.out})
	if err != nil {
		return nil, nil, err
	}
	gate, err := resources.NewGate(resources.GateConfig{
		Source: sampler, Disk: &resources.Thresholds{Warn: 0.95, Critical: 0.99}, MaxWait: 10 * time.Second, Proceed: true,
		OnLevel: func(c resources.Change) {
			if c.Closed {
				r.progress.note("waiting for %s: %s used", c.Resource, percent(c.Used.V))
			}
		},
	})
	if err != nil {
		return nil, nil, err
	}
	r.memory = func() string {
		s, _ := sampler.Sample(context.WithoutCancel(ctx))
		used := s.Memory.Used()
		if !used.OK || !s.Process.RSS.OK {
			return ""
		}
		return fmt.Sprintf("%s of %.1f GiB in use; this process %.0f MiB", percent(used.V), float64(s.Memory.Total.V)/(1<<30), float64(s.Process.RSS.V)/(1<<20))
	}
	return gate, func() (time.Duration, error) {
		s, err := sampler.Sample(context.WithoutCancel(ctx))
		if s.Process.CPU.OK {
			return s.Process.CPU.V, nil
		}
		return 0, fmt.Errorf("no CPU time of this process: %w", err)
	}, nil
}
