package surefoot_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/surefoot-ml/surefoot"
)

// What a part of a fuzzed Runner does when it is called.
const (
	succeeds = iota
	fails
	failsForGood // permanent
	panics
	exits
	behaviours
)

// permanentError is a failure that must not be retried.
type permanentError struct{ error }

func (permanentError) Permanent() bool { return true }
func (e permanentError) Unwrap() error { return e.error }

// script decides what every call of every part does: the same for the Runner and for the model, whatever the order in
// which they ask.
type script struct {
	data  []byte
	calls map[string]int
	log   []string
}

func newScript(data []byte) *script { return &script{data: data, calls: map[string]int{}} }

// next draws what the coming call of a part does.
func (s *script) next(part string, kinds int) int {
	s.calls[part]++
	h := uint32(2166136261)
	for _, c := range fmt.Sprint(part, "#", s.calls[part]) {
		h = (h ^ uint32(c)) * 16777619
	}
	b := s.data[int(h>>3)%len(s.data)]
	if b < 128 { // half of all calls succeed, so that runs go deep
		return succeeds
	}
	return int(uint32(b)*2654435761>>8) % kinds
}

func (s *script) logf(format string, args ...any) {
	s.log = append(s.log, fmt.Sprintf(format, args...))
}

// shape is a Runner to build: its step may be a Runner in turn.
type shape struct {
	name     string
	gates    int
	admits   int
	attempts int // 0: no Retrier
	restore  bool
	check    bool
	watch    bool
	record   bool
	inner    *shape
}

func shapeOf(data []byte, name string, depth int) *shape {
	at := func(i int) int { return int(data[i%len(data)]) }
	sh := &shape{
		name: name, gates: at(0) % 4, admits: at(1) % 11, attempts: at(2) % 4,
		restore: at(3)&1 != 0, check: at(3)&2 != 0, watch: at(3)&4 != 0, record: at(3)&8 != 0,
	}
	if depth > 0 && at(3)&16 != 0 {
		sh.inner = shapeOf(data[len(data)/2:], name+"/", depth-1)
	}
	return sh
}

// outcome names an error by what the parts of a Runner can tell about it.
func outcome(err error) string {
	var refused *surefoot.RefusedError
	var panicked *surefoot.PanicError
	var restore *surefoot.RestoreError
	var final permanentError
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &restore):
		return "unrestored"
	case errors.As(err, &panicked):
		return fmt.Sprint("panic ", panicked.Value)
	case errors.Is(err, surefoot.ErrGoexit):
		return "goexit"
	case errors.As(err, &refused) && errors.As(err, &final):
		return "refused for good"
	case errors.As(err, &refused):
		return "refused"
	case errors.As(err, &final):
		return "failed for good"
	}
	return "failed"
}

// act does what the script says, as a part of a real Runner.
func (s *script) act(part string, kinds int) error {
	switch s.next(part, kinds) {
	case fails:
		return errors.New(part)
	case failsForGood:
		return permanentError{errors.New(part)}
	case panics:
		panic(part)
	case exits:
		exit()
	}
	return nil
}

// scripted is an admitter, a retrier, a watcher or a recorder that follows a script.
type scripted struct {
	*script
	name  string
	limit int
}

func (p scripted) Admit(context.Context) (uint64, error) {
	p.logf("admit %s", p.name)
	err := p.act("admit "+p.name, behaviours)
	return uint64(p.calls["admit "+p.name]), err
}

func (p scripted) Done(token uint64, err error) {
	p.logf("done %s %d %s", p.name, token, outcome(err))
	switch p.next("done "+p.name, 8) { // rarer than other faults
	case panics:
		panic("done " + p.name)
	case exits:
		exit()
	}
}

func (p scripted) Next(attempt int, prev time.Duration, err error) (time.Duration, bool) {
	p.logf("next %s %d %s", p.name, attempt, outcome(err))
	return prev, attempt < p.limit
}

func (p scripted) Watch(ctx context.Context) (context.Context, uint64) {
	p.logf("watch %s", p.name)
	return ctx, uint64(p.limit)
}

func (p scripted) Release(token uint64, err error) error {
	p.logf("unwatch %s %d %s", p.name, token, outcome(err))
	return err
}

func (p scripted) RecordAttempt(_ context.Context, _ uint64, attempt int, wait, run time.Duration, err error) {
	if wait < 0 || run < 0 {
		p.logf("negative time: wait %v, run %v", wait, run)
	}
	p.logf("attempt %s %d %s", p.name, attempt, outcome(err))
}

func (p scripted) RecordBatch(_ context.Context, _ uint64, attempts int, wait, run time.Duration, err error) {
	if wait < 0 || run < 0 {
		p.logf("negative time: wait %v, run %v", wait, run)
	}
	p.logf("batch %s %d %s", p.name, attempts, outcome(err))
}

// real builds the Runner of a shape and returns its Do.
func (s *script) real(sh *shape) surefoot.Step[int, int] {
	run := &surefoot.Runner[int, int]{}
	for i := range sh.gates {
		run.Gates = append(run.Gates, scripted{s, fmt.Sprint(sh.name, "g", i), 0})
	}
	for i := range sh.admits {
		run.Attempt = append(run.Attempt, scripted{s, fmt.Sprint(sh.name, "a", i), 0})
	}
	if sh.attempts > 0 {
		run.Retry = scripted{s, sh.name, sh.attempts}
	}
	if sh.watch {
		run.Watch = scripted{s, sh.name, 7}
	}
	if sh.record {
		run.Record = scripted{s, sh.name, 0}
	}
	if sh.restore {
		run.Restore = func(_ context.Context, cause error) error {
			s.logf("restore %s %s", sh.name, outcome(cause))
			return s.act("restore "+sh.name, behaviours)
		}
	}
	if sh.check {
		run.Check = func(int) error {
			s.logf("check %s", sh.name)
			return s.act("check "+sh.name, behaviours)
		}
	}
	step := func(context.Context, int) (int, error) {
		s.logf("step %s", sh.name)
		return 0, s.act("step "+sh.name, behaviours)
	}
	if sh.inner != nil {
		step = s.real(sh.inner)
	}
	return func(ctx context.Context, in int) (int, error) { return run.Do(ctx, in, step) }
}

// model says by plain recursion what must happen, with outcomes as words: a word that starts with "panic" or "goexit"
// does not return to anybody but a release.
type model struct{ *script }

func thrown(o string) bool { return len(o) > 5 && (o[:5] == "panic" || o[:6] == "goexit") }

func (m model) act(part string, kinds int) string {
	switch m.next(part, kinds) {
	case fails:
		return "failed"
	case failsForGood:
		return "failed for good"
	case panics:
		return "panic " + part
	case exits:
		return "goexit"
	}
	return "ok"
}

// within admits the named admitters from i on, runs the body inside all of them, and releases them in reverse. It returns
// what the released ones are told, and what goes on to the caller: a Done that panics or exits changes only the latter.
func (m model) within(names []string, body func() string) (told, goesOn string) {
	if len(names) == 0 {
		o := body()
		return o, o
	}
	m.logf("admit %s", names[0])
	switch o := m.act("admit "+names[0], behaviours); {
	case thrown(o):
		return o, o
	case o == "failed":
		return "refused", "refused"
	case o == "failed for good":
		return "refused for good", "refused for good"
	}
	token := m.calls["admit "+names[0]]
	told, goesOn = m.within(names[1:], body)
	m.logf("done %s %d %s", names[0], token, told)
	switch m.next("done "+names[0], 8) {
	case panics:
		goesOn = "panic done " + names[0]
	case exits:
		goesOn = "goexit"
	}
	return told, goesOn
}

func names(prefix string, n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprint(prefix, i))
	}
	return out
}

func (m model) do(sh *shape) string {
	attempts := 0
	attempt := func() string {
		attempts++
		told, goesOn := m.within(names(sh.name+"a", sh.admits), func() (o string) {
			if sh.watch {
				m.logf("watch %s", sh.name)
			}
			if sh.inner != nil {
				o = m.do(sh.inner)
			} else {
				m.logf("step %s", sh.name)
				o = m.act("step "+sh.name, behaviours)
			}
			if sh.watch {
				m.logf("unwatch %s 7 %s", sh.name, o)
			}
			if o == "ok" && sh.check {
				m.logf("check %s", sh.name)
				o = m.act("check "+sh.name, behaviours)
			}
			return o
		})
		if sh.record {
			m.logf("attempt %s %d %s", sh.name, attempts, told)
		}
		if told != goesOn && len(told) > 5 && told[:5] == "panic" {
			goesOn = told // the step's own panic outlives one of a Done
		}
		return goesOn
	}
	told, goesOn := m.within(names(sh.name+"g", sh.gates), func() string {
		for {
			o := attempt()
			final := o == "ok" || o == "unrestored" || o == "refused for good" || o == "failed for good" || thrown(o)
			if final || sh.attempts == 0 {
				return o
			}
			m.logf("next %s %d %s", sh.name, attempts, o)
			if attempts >= sh.attempts {
				return o
			}
			if sh.restore {
				m.logf("restore %s %s", sh.name, o)
				if r := m.act("restore "+sh.name, behaviours); thrown(r) {
					return r
				} else if r != "ok" {
					return "unrestored"
				}
			}
		}
	})
	if sh.record {
		m.logf("batch %s %d %s", sh.name, attempts, told)
	}
	if told != goesOn && len(told) > 5 && told[:5] == "panic" {
		goesOn = told
	}
	return goesOn
}

// observe runs a step in a goroutine of its own and names how it ended for the caller.
func observe(step surefoot.Step[int, int]) string {
	end := make(chan string)
	go func() {
		how := "goexit"
		defer func() {
			if v := recover(); v != nil {
				how = fmt.Sprint("panic ", v)
			}
			end <- how
		}()
		_, err := step(context.Background(), 1)
		how = outcome(err)
	}()
	return <-end
}

// agree runs one script through a Runner and through the model.
func agree(t *testing.T, data []byte) {
	sh := shapeOf(data, "", 2)
	want := model{newScript(data)}
	wantEnd := want.do(sh)
	got := newScript(data)
	gotEnd := observe(got.real(sh))
	if gotEnd != wantEnd {
		t.Errorf("ended with %q, want %q", gotEnd, wantEnd)
	}
	if !slices.Equal(got.log, want.log) {
		t.Errorf("%+v\ngot  %q\nwant %q", *sh, got.log, want.log)
	}
}

func FuzzRunner(f *testing.F) {
	f.Add([]byte{2, 3, 3, 31, 200, 130, 255, 7})
	f.Add([]byte{0, 0, 0, 0})
	f.Add([]byte{3, 10, 3, 15, 129, 0, 250, 3, 9, 181, 77, 140})
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) == 0 || len(data) > 1<<10 {
			t.Skip()
		}
		agree(t, data)
	})
}

// TestRunnerAgainstModel is the fuzz target on scripts drawn from a seed, for every run of the tests.
func TestRunnerAgainstModel(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		data := make([]byte, 4+rng.IntN(40))
		for i := range data {
			data[i] = byte(rng.Uint32())
		}
		if agree(t, data); t.Failed() {
			t.Fatalf("script %q", data)
		}
	}
}
