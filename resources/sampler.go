package resources

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"
)

const (
	defaultSampleTimeout = time.Second
	rescan               = time.Minute // what was not there, and where the cgroups are, is looked up anew this often
	overtake             = 10 * time.Millisecond
)

var (
	// ErrNoAnswer is found in the error of [Sampler.Sample] when a source has not answered in time.
	ErrNoAnswer = errors.New("resources: no answer")
	// ErrClosed is returned by a closed [Sampler].
	ErrClosed = errors.New("resources: sampler is closed")
)

// SamplerConfig configures a [Sampler]. The zero value is good.
type SamplerConfig struct {
	// Disk is a path on the file system to watch, such as the checkpoint directory. Default: none is watched.
	Disk string
	// GPU, if set, reads the GPUs.
	GPU GPUSource
	// Timeout is how long a sample waits for a source, such as a network file system or a driver, which may hang: after
	// that the sample goes without, and so do the next ones, without waiting, until it has returned. Default 1 second.
	Timeout time.Duration
}

// Sampler takes samples. It has counters of its own, so that two of them do not steal each other's interval.
// Safe for concurrent use, but then each caller's interval begins at any other's sample: better one each.
//
// On Linux it keeps the kernel's files open and a sample without a GPUSource allocates nothing. What may hang is read in a
// goroutine: file systems, drivers, and /proc where a user-space file system serves it, as in some containers. There is
// never more than one per source, and none between samples unless a source hangs. Elsewhere it uses gopsutil, and what
// only Linux has is absent.
//
// Create one with [NewSampler] and close it; nil and the zero Sampler refuse to sample.
type Sampler struct {
	timeout time.Duration
	disk    string
	probes  []*probe
	stop    context.CancelFunc
	turn    chan struct{} // a mutex for one sample at a time, which a context can end the wait for
	moved   chan struct{} // a walker has ended
	walk    func()        // walkDue: a method value would be allocated for each goroutine

	// Of the holder of turn.
	out   Sample // on the stack it would escape to the heap
	quick []*probe
	timer *time.Timer

	// Guarded by mu, as are the changing fields of probes.
	mu      sync.Mutex
	walkers int
	closed  bool
	shut    bool // the files are closed
}

// probe is one source of a sample: what fails or hangs alone.
type probe struct {
	name string
	// read asks the source. It may hang; it touches nothing but what is its own.
	read func(now time.Time) error
	// put hands over what read found. It is not called while read runs nor after it has failed, and after the put of the
	// probes before it in the list.
	put func(out *Sample)
	// quick is true when the next read can do without a goroutine, as it waits for nobody; nil: it may hang.
	quick func() bool
	// close releases what read holds; nil: nothing.
	close func()

	state  probeState
	asked  bool      // read has returned once: only then quick knows
	since  time.Time // when it began to read
	intime bool      // the read asked for last is done, and was not too late
	err    error     // of that
}

type probeState uint8

const (
	idle    probeState = iota
	due                // for a walker
	reading            // by a walker, or by the holder of turn
)

// NewSampler checks the configuration and returns a sampler.
func NewSampler(cfg SamplerConfig) (*Sampler, error) {
	return newSamplerOf(cfg, hostProbes())
}

func newSamplerOf(cfg SamplerConfig, probes []*probe) (*Sampler, error) {
	if cfg.Timeout < 0 {
		return nil, fmt.Errorf("resources: Timeout %v is negative", cfg.Timeout)
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = defaultSampleTimeout
	}
	life, stop := context.WithCancel(context.Background())
	s := &Sampler{timeout: cfg.Timeout, disk: cfg.Disk, probes: probes, stop: stop, turn: make(chan struct{}, 1), moved: make(chan struct{}, 1)}
	s.walk = s.walkDue
	s.probes = append(s.probes, runtimeProbe())
	if cfg.Disk != "" {
		s.probes = append(s.probes, diskProbe(cfg.Disk, diskUsage(cfg.Disk)))
	}
	if cfg.GPU != nil {
		s.probes = append(s.probes, gpuProbe(life, cfg.GPU, cfg.Timeout))
	}
	return s, nil
}

// Sample measures everything once. What could not be measured is absent; the joined error says why, and the rest of the
// sample is good all the same. What a machine does not have is absent without an error. Only a nil, zero or closed
// Sampler and a ctx already done give no sample at all.
func (s *Sampler) Sample(ctx context.Context) (Sample, error) {
	if s == nil || s.turn == nil {
		return Sample{}, errors.New("resources: not made by NewSampler")
	}
	if err := ctx.Err(); err != nil {
		return Sample{}, fmt.Errorf("resources: %w", err)
	}
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return Sample{}, fmt.Errorf("resources: %w", ctx.Err())
	}
	defer func() { <-s.turn }()
	start := time.Now()
	walk, ok := s.begin(start)
	if !ok {
		return Sample{}, ErrClosed
	}
	s.readQuick()
	if walk {
		s.startWalk()
		runtime.Gosched() // it is mostly done at once; to sleep until then would cost more than it does
	}
	ended := s.wait(ctx, start)
	return s.collect(start, ended)
}

// begin asks all sources but those that have not yet returned. The quick ones are left to the caller, the others, if there
// are any, to walkers. Not ok once the sampler is closed.
func (s *Sampler) begin(now time.Time) (walk, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false, false
	}
	s.quick = s.quick[:0]
	for _, p := range s.probes {
		if p.state == idle {
			p.state, p.since, p.intime, p.err = due, now, false, nil
			if p.asked && p.quick != nil && p.quick() {
				p.state = reading
				s.quick = append(s.quick, p)
			}
		}
		walk = walk || p.state == due
	}
	return walk, true
}

// readQuick reads what waits for nobody: what a goroutine costs is a good part of what such a reading does.
func (s *Sampler) readQuick() {
	now := time.Now()
	for _, p := range s.quick {
		p.since, p.err = now, p.read(now) // ours while it is reading
		now = time.Now()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.quick {
		p.state, p.intime = idle, true
	}
}

// walkDue reads what is due, one after the other; the more of them there are, the more can hang without holding up the
// rest. None takes a source that another is in, so that no more of them get stuck than there are sources.
func (s *Sampler) walkDue() {
	now := time.Now()
	s.mu.Lock()
	for _, p := range s.probes {
		if p.state != due || s.closed {
			continue
		}
		p.state, p.since = reading, now
		s.mu.Unlock()
		err := p.read(now)
		now = time.Now()
		s.mu.Lock()
		p.state, p.asked, p.err = idle, true, err
		p.intime = now.Sub(p.since) <= s.timeout
	}
	s.walkers--
	s.mu.Unlock()
	select {
	case s.moved <- struct{}{}:
	default:
	}
}

// wait returns when all sources have answered, when the time is over for those that have not, or with the error of ctx.
func (s *Sampler) wait(ctx context.Context, start time.Time) error {
	patience := min(overtake, s.timeout/4) + 1
	for {
		now := time.Now()
		left, behind := s.awaited(start, now)
		if left <= 0 {
			return nil
		}
		if behind && now.Sub(start) >= patience {
			patience += patience // somebody hangs or is slow: go round him
			s.startWalk()
		}
		if behind {
			left = min(left, max(patience-now.Sub(start), 1))
		}
		if s.timer == nil {
			s.timer = time.NewTimer(left)
		} else {
			s.timer.Reset(left)
		}
		select {
		case <-s.moved:
		case <-s.timer.C:
		case <-ctx.Done():
			s.timer.Stop()
			return ctx.Err()
		}
		s.timer.Stop()
	}
}

// awaited is how long there is still somebody to wait for, and whether some sources have not even been asked.
func (s *Sampler) awaited(start, now time.Time) (left time.Duration, behind bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.probes {
		switch p.state {
		case due:
			if s.closed { // nobody will read it any more
				continue
			}
			behind = true
			left = max(left, s.timeout-now.Sub(start))
		case reading:
			left = max(left, s.timeout-now.Sub(p.since))
		}
	}
	return left, behind
}

func (s *Sampler) startWalk() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.walkers++
		go s.walk()
	}
}

// collect takes what has come. The answer of a source that was too late is dropped: it tells of a time long past.
func (s *Sampler) collect(at time.Time, ended error) (Sample, error) {
	s.out = Sample{At: at, Disk: Disk{Path: s.disk}}
	var failed []error
	s.mu.Lock()
	for _, p := range s.probes {
		err := p.err
		if !p.intime || p.state != idle {
			switch {
			case ended != nil:
				err = ended
			case p.state == due:
				err = ErrNoAnswer
			default:
				err = fmt.Errorf("%w since %s", ErrNoAnswer, p.since.Format(time.RFC3339))
			}
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("resources: %s: %w", p.name, err))
			continue
		}
		p.put(&s.out)
	}
	s.mu.Unlock()
	out := s.out
	s.out = Sample{}
	return out, errors.Join(failed...)
}

// Close ends sampling and waits, until ctx is done, for sources that have not answered yet. After an error it may be
// called again; closing twice is fine.
func (s *Sampler) Close(ctx context.Context) error {
	if s == nil || s.turn == nil {
		return nil
	}
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.stop()
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("resources: a sample is under way: %w", ctx.Err())
	}
	defer func() { <-s.turn }()
	for s.walking() {
		select {
		case <-s.moved:
		case <-ctx.Done():
			return s.stuck(ctx.Err())
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.shut {
		s.shut = true
		for _, p := range s.probes {
			if p.close != nil {
				p.close()
			}
		}
	}
	return nil
}

func (s *Sampler) walking() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.walkers > 0
}

// stuck names the sources that have not returned.
func (s *Sampler) stuck(cause error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var failed []error
	for _, p := range s.probes {
		if p.state == reading {
			failed = append(failed, fmt.Errorf("resources: %s: %w since %s: %w", p.name, ErrNoAnswer, p.since.Format(time.RFC3339), cause))
		}
	}
	if failed == nil {
		return fmt.Errorf("resources: a sample is under way: %w", cause)
	}
	return errors.Join(failed...)
}

func gpuProbe(life context.Context, from GPUSource, timeout time.Duration) *probe {
	var gpus []GPU
	return &probe{
		name: "gpu",
		read: func(time.Time) (err error) {
			ctx, cancel := context.WithTimeout(life, timeout)
			defer cancel()
			gpus, err = readGPUs(ctx, from)
			return err
		},
		put: func(out *Sample) { out.GPUs = gpus },
	}
}
