package compliance

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/surefoot-ml/surefoot/internal/deliver"
)

// MonitorConfig says what a Monitor watches.
type MonitorConfig struct {
	// Assessor must be set.
	Assessor *Assessor
	Subject  string
	// Collect gathers the evidence; it must be set. What it could not get it leaves out, and returns why: the rest is assessed all the
	// same. It must return when ctx ends.
	Collect func(ctx context.Context) (Evidence, error)
	// OnChange is told what changed, in order and one at a time, outside all locks; nil drops it. It must not call Close. A panic of it
	// loses that change, goes to OnError and is counted, see Panics.
	OnChange func(Change)
	// OnError is told what Collect returned, or of a panic of it or of OnChange; nil drops it. It must not call Close. A panic of it is
	// counted alone.
	OnError func(error)
	// Every is the time between assessments; the default is an hour.
	Every time.Duration
	// Spacing is the least time between the assessments that Notify asks for; the default is a second.
	Spacing time.Duration
	// Last is the assessment to compare the first one with, from before a restart. Without one every finding is a change.
	Last *Assessment
}

// Change is a finding that differs from the last one of its check: in its state, or in what it reports beside notes. A check that is
// not in the rules any more gives no change.
type Change struct {
	Subject string    `json:"subject"`
	Time    time.Time `json:"time"`
	// Before is nil for the first finding of a check.
	Before *Finding `json:"before,omitempty"`
	After  Finding  `json:"after"`
	// Result is the hash of the whole assessment.
	Result string `json:"result"`
}

// Worse reports whether the state changed for the worse. The first finding of a check is compared with PASS.
func (c Change) Worse() bool {
	before := Pass
	if c.Before != nil {
		before = c.Before.State
	}
	return c.After.State.Worse(before)
}

// message is for OnChange or OnError.
type message struct {
	change *Change
	err    error
}

// Monitor assesses on a schedule and when told, and hands out changes. Its goroutine ends with Close. Make one with NewMonitor.
type Monitor struct {
	cfg    MonitorConfig
	cancel context.CancelFunc
	ctx    context.Context
	done   chan struct{}
	wake   chan struct{} // holds one

	assessing chan struct{} // holds one while there is an assessment, so that waiting for one ends with a context

	mu       sync.Mutex
	last     *Assessment    // guarded by mu
	closed   bool           // guarded by mu
	calls    sync.WaitGroup // of Assess; added to under mu, while not closed
	messages deliver.Queue[message]
	panics   atomic.Uint64
}

// NewMonitor starts a Monitor, with an assessment at once.
func NewMonitor(cfg MonitorConfig) (*Monitor, error) {
	switch {
	case cfg.Assessor == nil || cfg.Collect == nil:
		return nil, invalid("MonitorConfig", "nil", "an Assessor and a Collect")
	case cfg.Every < 0:
		return nil, invalid("MonitorConfig.Every", cfg.Every, "0 or more")
	case cfg.Spacing < 0:
		return nil, invalid("MonitorConfig.Spacing", cfg.Spacing, "0 or more")
	}
	if cfg.Every == 0 {
		cfg.Every = time.Hour
	}
	if cfg.Spacing == 0 {
		cfg.Spacing = time.Second
	}
	m := &Monitor{cfg: cfg, done: make(chan struct{}), wake: make(chan struct{}, 1), assessing: make(chan struct{}, 1), last: cfg.Last}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	go m.loop()
	return m, nil
}

// Notify asks for an assessment soon, because something happened: a charge, a refusal, an entry of the audit log. It returns at once,
// and many calls make one assessment, which begins after the last of them.
func (m *Monitor) Notify() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// Assess collects and assesses now, and hands out what changed; it is for the end of a run, say. An error of Collect is returned beside
// the assessment of the rest. OnChange has been called when Assess returns, unless another goroutine is at it, or Assess is called
// by a callback.
func (m *Monitor) Assess(ctx context.Context) (Assessment, error) {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return Assessment{}, ErrClosed
	}
	m.calls.Add(1)
	m.mu.Unlock()
	defer m.calls.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(m.ctx, cancel)()
	return m.assess(ctx)
}

// Last returns the last assessment; ok is false before the first.
func (m *Monitor) Last() (a Assessment, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.last == nil {
		return Assessment{}, false
	}
	return *m.last, true
}

// Close ends the Monitor: it cancels an assessment that runs, and waits for it and for the callbacks. A second Close does nothing. It
// must not be called by a callback.
func (m *Monitor) Close() {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.cancel()
	<-m.done
	m.calls.Wait()
}

func (m *Monitor) loop() {
	defer close(m.done)
	tick := time.NewTicker(m.cfg.Every)
	defer tick.Stop()
	for {
		_, _ = m.assess(m.ctx) // OnError has been told
		pause := time.NewTimer(m.cfg.Spacing)
		select {
		case <-m.ctx.Done():
		case <-pause.C:
		}
		pause.Stop()
		select {
		case <-m.ctx.Done():
			return
		case <-tick.C:
		case <-m.wake:
		}
	}
}

func (m *Monitor) assess(ctx context.Context) (Assessment, error) {
	a, err := m.compare(ctx)
	m.messages.Deliver(m.tell)
	return a, err
}

// tell calls back. A panic of a callback must not end the training that is watched.
func (m *Monitor) tell(x message) {
	defer func() {
		if r := recover(); r != nil {
			m.panics.Add(1)
			if x.change != nil {
				m.messages.Add(message{err: fmt.Errorf("compliance: OnChange: panic: %v", r)})
			}
		}
	}()
	switch {
	case x.change != nil && m.cfg.OnChange != nil:
		m.cfg.OnChange(*x.change)
	case x.err != nil && m.cfg.OnError != nil:
		m.cfg.OnError(x.err)
	}
}

// Panics returns how many panics of callbacks there were.
func (m *Monitor) Panics() uint64 { return m.panics.Load() }

// compare assesses and queues what changed.
func (m *Monitor) compare(ctx context.Context) (Assessment, error) {
	select {
	case m.assessing <- struct{}{}:
		defer func() { <-m.assessing }()
	case <-ctx.Done():
	}
	if err := ctx.Err(); err != nil {
		return Assessment{}, fmt.Errorf("compliance: monitor: %w", err)
	}
	e, err := m.collect(ctx)
	if ctx.Err() != nil { // what is missing says nothing
		return Assessment{}, fmt.Errorf("compliance: monitor: %w", context.Cause(ctx))
	}
	if err != nil {
		err = fmt.Errorf("compliance: collect: %w", err)
		m.messages.Add(message{err: err})
	}
	a := m.cfg.Assessor.Assess(m.cfg.Subject, e, time.Now())
	m.mu.Lock()
	defer m.mu.Unlock()
	before := make(map[string]*Finding)
	if m.last != nil {
		for i := range m.last.Findings {
			f := m.last.Findings[i]
			before[f.Check] = &f
		}
	}
	for _, f := range a.Findings {
		if old := before[f.Check]; old == nil || !same(*old, f) {
			m.messages.Add(message{change: &Change{Subject: a.Subject, Time: a.Time, Before: old, After: f, Result: a.Hash}})
		}
	}
	m.last = &a
	return a, err
}

// collect calls Collect. A panic in it is an error, and all evidence missing.
func (m *Monitor) collect(ctx context.Context) (e Evidence, err error) {
	defer func() {
		if r := recover(); r != nil {
			e, err = Evidence{}, fmt.Errorf("panic: %v", r)
		}
	}()
	return m.cfg.Collect(ctx)
}

// same reports whether two findings of a check say the same, notes aside.
func same(a, b Finding) bool {
	return a.State == b.State && a.CheckVersion == b.CheckVersion && a.Said == b.Said
}
