package carbon

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/surefoot-ml/surefoot/internal/deliver"
)

const (
	maxOrigins  = 64   // kept apart in the totals; a source that changes its name all the time is not
	othersKinds = 20   // what they may have besides: basis, scope and whether the energy is estimated
	maxTracks   = 1024 // sources of energy
	othersName  = "(others)"

	firstSecond, lastSecond = -62135596800, 253402300799 // the years 1 to 9999, which a report can say
)

// ErrOverlap is returned for energy that was counted already: by the same counter at the same time, or before a restart.
var ErrOverlap = errors.New("carbon: energy counted already")

// MeterConfig configures a [Meter]. Provider is required.
type MeterConfig struct {
	// Provider knows the intensity of the times in which energy is used. It is asked for the past.
	Provider Provider
	// Start is when the job could have begun. If set, the meter follows what the same work would have emitted had it run from
	// then on without waiting ([Meter.AgainstRunNow]); this asks Provider once more for each Add after a wait.
	Start time.Time
	// OnInterval is called for each stretch of constant intensity, and each gap, after it was recorded: one at a time, in
	// order and outside the lock, by one of the goroutines that call Add, Gap or Sample. Nil: nobody is told.
	OnInterval func(Interval)
	// State is what [Meter.State] returned before a restart. Empty: a new meter.
	State []byte
}

// Meter adds up the emissions of energy used: the sum over time of each interval's energy times the intensity valid in
// it, never the final energy times the last intensity. Energy for which no intensity is known is kept apart: it is
// unknown, not 0 g. So is time for which the energy is not known ([Meter.Gap]).
//
// What waiting has saved is the difference to a counterfactual that must be named: see [Saving].
//
// Safe for concurrent use. Create one with [NewMeter]; nil and the zero Meter refuse every Add.
type Meter struct {
	cfg     MeterConfig
	pending deliver.Queue[Interval]

	// Guarded by mu.
	mu      sync.Mutex
	origins map[origin]*account
	tracks  map[string]*track
	scope   Scope
	gap     time.Duration
	gaps    int64
	lastErr error
	runNow  comparison
}

// origin is what energy and emissions are grouped by.
type origin struct {
	zone, source string
	basis        Basis // unset where the intensity is unknown
	strategy     Strategy
	scope        Scope
	energy       string
	estimated    bool
}

// account is the sum of one origin.
type account struct {
	kwh, grams, off, unrated sum
	from, to                 time.Time
}

// track is where one source of energy stands.
type track struct {
	until time.Time     // end of the latest energy; the start of the job before there was any
	used  bool          // there was
	saved time.Time     // until, when the state was saved from which this meter was made
	wait  time.Duration // time without energy since the start of the job
	claim int64         // which claim was the last

	// The same without what is claimed but not recorded yet: what a saved state may say.
	done     time.Time
	doneWait time.Duration
}

// comparison is a sum beside that of a counterfactual, over the same energy.
type comparison struct{ kwh, grams, baseline, skipped sum }

// NewMeter returns a meter, new or as it was when its state was saved.
func NewMeter(cfg MeterConfig) (*Meter, error) {
	if cfg.Provider == nil {
		return nil, errors.New("carbon: meter: Provider is nil")
	}
	m := &Meter{cfg: cfg, origins: map[origin]*account{}, tracks: map[string]*track{}}
	m.cfg.State = nil
	if len(cfg.State) > 0 {
		if err := m.restore(cfg.State); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// Add records energy used evenly over [from, to). It is split where the intensity changes, the first and last part
// counting by their time.
//
// An error means that nothing was recorded: the arguments are invalid, the provider gives marginal values ([ErrSignal]) or
// mixes lifecycle with direct ones ([ErrScope]), or the energy was counted already ([ErrOverlap]): measured energy of a source
// that begins before the end of its last one, and any that begins before what the restored state has of the source. Missing
// intensity is no error: that energy is recorded as unknown and [Totals.LastErr] says why. After a failure other than
// [ErrNoData] the provider is not asked again for the rest of the interval.
func (m *Meter) Add(ctx context.Context, from, to time.Time, e Energy) error {
	if err := m.checkInterval(from, to); err != nil {
		return err
	}
	if err := e.check(); err != nil {
		return err
	}
	before, wait, err := m.reserve(from, to, e.Source, !e.Estimated)
	if err != nil {
		return err
	}
	if err := m.add(ctx, from, to, e, wait); err != nil {
		m.release(e.Source, before)
		return err
	}
	m.deliver()
	return nil
}

func (m *Meter) add(ctx context.Context, from, to time.Time, e Energy, wait time.Duration) error {
	var room, other [partRoom]part
	parts, missing, err := m.split(ctx, room[:0], from, to, e)
	if err != nil {
		return err
	}
	var sooner []part
	var apart error
	if wait > 0 {
		sooner, apart, err = m.split(ctx, other[:0], from.Add(-wait), to.Add(-wait), e)
		apart = errors.Join(apart, err)
	}

	m.mu.Lock()
	defer m.mu.Unlock()
	scope := m.scope
	for i := range parts {
		if err := scope.meet(Reading{Scope: parts[i].scope, Source: parts[i].source}); err != nil {
			return err
		}
	}
	m.scope = scope
	for i := range parts {
		m.record(&parts[i])
	}
	m.settle(e.Source, to, wait)
	if missing != nil {
		m.lastErr = missing
	}
	if !m.cfg.Start.IsZero() {
		if wait == 0 {
			sooner, apart = parts, missing
		}
		m.compare(parts, sooner, missing == nil && apart == nil, e.KWh(), scope)
	}
	return nil
}

// compare adds to what run-now would have emitted; energy that is not known on both sides is left out of both.
func (m *Meter) compare(parts, sooner []part, known bool, kwh float64, scope Scope) {
	var grams, baseline float64
	for i := range parts {
		grams += parts[i].grams
	}
	for i := range sooner {
		baseline += sooner[i].grams
		known = known && scope.meet(Reading{Scope: sooner[i].scope}) == nil
	}
	if !known {
		m.runNow.skipped.add(kwh)
		return
	}
	m.runNow.kwh.add(kwh)
	m.runNow.grams.add(grams)
	m.runNow.baseline.add(baseline)
}

// Gap records that a source used energy in [from, to) of which nobody knows how much: its counter was reset, or could not be
// read. It is counted as unknown time, not as 0 kWh. What lies before the end of the source's last energy is left out.
func (m *Meter) Gap(source string, from, to time.Time, why error) error {
	if err := m.checkInterval(from, to); err != nil {
		return err
	}
	if source == "" || why == nil {
		return errors.New("carbon: meter: a gap needs a source and a reason")
	}
	m.mu.Lock()
	if t := m.tracks[source]; t != nil && t.used && from.Before(t.until) {
		from = earlier(t.until, to)
	}
	m.mu.Unlock()
	if !from.Before(to) {
		return nil
	}
	_, wait, err := m.reserve(from, to, source, true)
	if err != nil {
		return err
	}
	m.mu.Lock()
	m.settle(source, to, wait)
	m.gap = time.Duration(min(float64(m.gap)+float64(to.Sub(from)), math.MaxInt64/2))
	m.gaps++
	m.lastErr = fmt.Errorf("carbon: meter: energy of %q from %s to %s: %w", clip(source), stamp(from), stamp(to), why)
	if m.cfg.OnInterval != nil {
		m.pending.Add(Interval{From: from, To: to, Energy: source, Reason: printable(why.Error())})
	}
	m.mu.Unlock()
	m.deliver()
	return nil
}

// EnergySource is what a [Meter] samples: a [Counter], a [RAPL].
type EnergySource interface {
	// Name is the Source of the energy, always the same.
	Name() string
	// Since returns the energy since from, the end of the energy that it gave out last, up to now, as [Counter.Since] does.
	Since(now time.Time) (from time.Time, e Energy, err error)
}

// Sample adds the energy of a counter since it was last sampled. An energy that the counter has lost ([ErrCounterReset]), or
// that Add refuses, becomes a gap, and the error is returned; after any other error nothing is recorded, and the next call
// covers the time as well.
func (m *Meter) Sample(ctx context.Context, now time.Time, source EnergySource) error {
	if m == nil || m.cfg.Provider == nil {
		return errors.New("carbon: meter: not made by NewMeter")
	}
	from, e, err := source.Since(now)
	switch {
	case err == nil:
		if err = m.Add(ctx, from, now, e); err == nil || errors.Is(err, ErrOverlap) {
			return err
		}
	case !errors.Is(err, ErrCounterReset):
		return err
	}
	return errors.Join(err, m.Gap(source.Name(), from, now, err))
}

func (m *Meter) checkInterval(from, to time.Time) error {
	if m == nil || m.cfg.Provider == nil {
		return errors.New("carbon: meter: not made by NewMeter")
	}
	if !to.After(from) {
		return fmt.Errorf("carbon: meter: the interval from %s to %s is empty", stamp(from), stamp(to))
	}
	if from.Unix() < firstSecond || to.Unix() > lastSecond {
		return errors.New("carbon: meter: the interval lies outside the years 1 to 9999")
	}
	if to.Sub(from) == math.MaxInt64 {
		return fmt.Errorf("carbon: meter: the interval from %s to %s is longer than 292 years", stamp(from), stamp(to))
	}
	return nil
}

// reserve claims an interval for a source. It returns where the source stood before and how long it has waited in all.
func (m *Meter) reserve(from, to time.Time, source string, once bool) (before track, wait time.Duration, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.tracks[source]
	if t == nil {
		if len(m.tracks) == maxTracks {
			return track{}, 0, fmt.Errorf("carbon: meter: more than %d sources of energy: name them by device, not by value", maxTracks)
		}
		t = &track{until: m.cfg.Start}
		m.tracks[source] = t
	}
	limit := t.saved
	if once && t.used {
		limit = t.until
	}
	if from.Before(limit) {
		return track{}, 0, fmt.Errorf("%w: %q from %s on, but counted until %s", ErrOverlap, clip(source), stamp(from), stamp(limit))
	}
	t.claim++
	before = *t
	if !m.cfg.Start.IsZero() && from.After(t.until) {
		t.wait += from.Sub(t.until)
	}
	if !t.used || to.After(t.until) {
		t.until, t.used = to, true
	}
	return before, t.wait, nil
}

// release gives a claim back, unless another one has followed it.
func (m *Meter) release(source string, before track) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t := m.tracks[source]; t.claim == before.claim {
		t.until, t.used, t.wait = before.until, before.used, before.wait
	}
}

// settle says that what a source has claimed up to an instant is recorded. The caller holds mu.
func (m *Meter) settle(source string, to time.Time, wait time.Duration) {
	if t := m.tracks[source]; to.After(t.done) || t.done.IsZero() {
		t.done, t.doneWait = to, wait
	}
}

// record adds a part to the totals. The caller holds mu.
func (m *Meter) record(p *part) {
	key := p.origin
	a := m.origins[key]
	if a == nil {
		key.zone, key.source = printable(key.zone), printable(key.source)
		a = m.origins[key]
	}
	if a == nil && len(m.origins) >= maxOrigins {
		if key.basis != 0 {
			key.zone, key.source = othersName, othersName
		}
		key.energy, key.strategy = othersName, 0
		a = m.origins[key]
	}
	if a == nil {
		a = &account{from: p.from, to: p.to}
		m.origins[key] = a
	}
	a.kwh.add(p.kwh)
	a.grams.add(p.grams)
	a.off.add(p.grams * p.err)
	if p.basis != 0 && p.err == 0 {
		a.unrated.add(p.kwh)
	}
	a.from = earlier(a.from, p.from)
	if p.to.After(a.to) {
		a.to = p.to
	}
	if m.cfg.OnInterval != nil {
		m.pending.Add(p.interval())
	}
}

func (m *Meter) deliver() {
	if m.cfg.OnInterval != nil {
		m.pending.Deliver(m.cfg.OnInterval)
	}
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	default:
		return 1
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
